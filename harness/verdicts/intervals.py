"""Paired intervals of scored runs: sides matched condition by condition, turned so that more is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.digest import seed_from
from harness.errors import HarnessError
from harness.metrics.card import cards
from harness.scoring.score_table import Floats, Scored, ScoreTable
from harness.statistics.intervals import LEVEL, RESAMPLES, Interval, paired_intervals
from harness.statistics.variance import Scope
from harness.verdicts.direction import goodness


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a submission, with one table of scores per training seed."""

    name: str
    tables: tuple[ScoreTable, ...]

    @cached_property
    def reported(self) -> tuple[ScoreTable, ...]:
        """The tables of the reported conditions alone."""
        return tuple(table.of_kind() for table in self.tables)

    def conditions(self) -> tuple[Scored, ...]:
        """The reported conditions, the same for all seeds."""
        return self.reported[0].conditions

    def values(self, metrics: Sequence[str]) -> Floats:
        """Values such that more is better, NaN where undefined. [conditions, seeds, metrics]"""
        known = cards()
        told = self.reported
        nothing = np.full(len(told[0].conditions), np.nan)
        columns = [
            [goodness(known[name], table.values.get(name, nothing)) for name in metrics] for table in told
        ]
        return np.moveaxis(np.array(columns, np.float64), 2, 0)


def match(sides: Sequence[Side]) -> tuple[Scored, ...]:
    """The conditions of all sides, which must be the same ones."""
    first = sides[0].conditions()
    asked = [one[:3] for one in first]
    for side in sides:
        for table in side.reported:
            if [one[:3] for one in table.conditions] != asked:
                raise HarnessError(
                    "these scores speak of different conditions",
                    got=f"{side.name} has {len(table.conditions)}, {sides[0].name} has {len(first)}",
                    expected="scores of the same task",
                )
    return first


def left_out(ours: Side, theirs: Side, metrics: Sequence[str]) -> Mapping[str, int]:
    """By metric the conditions in which the others have a value and we have none.

    A prediction without direction has no correlation. Who gives it where it is unsure would be measured on the rest alone.
    """
    match([ours, theirs])
    told, asked = (np.isfinite(side.values(metrics)).all(axis=1) for side in (ours, theirs))
    return dict(zip(metrics, (asked & ~told).sum(axis=0).tolist(), strict=True))


def differences(
    ours: Side,
    theirs: Side,
    metrics: Sequence[str],
    *,
    scope: Scope | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Mapping[str, Interval]:
    """By metric the paired difference of two sides, above 0 where ours is better.

    Conditions without a value on either side are left out and counted. The draws are seeded by the names of the sides.
    """
    conditions = match([ours, theirs])
    found = paired_intervals(
        ours.values(metrics),
        theirs.values(metrics),
        [one.context for one in conditions],
        [one.perturbation for one in conditions],
        scope=scope,
        level=level,
        resamples=resamples,
        seed=seed_from("difference", ours.name, theirs.name) % 2**32,
    )
    return dict(zip(metrics, found, strict=True))
