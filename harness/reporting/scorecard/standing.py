"""The rank group of a run among the negative controls of its task: an order that says no more than comparisons do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.controls.control_set import ControlSet
from harness.metrics.card import cards
from harness.reporting.scorecard.sheet import Score
from harness.scoring.score_table import ScoreTable
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval
from harness.statistics.ranks import Place, places
from harness.verdicts.claims import MOST_Q
from harness.verdicts.direction import goodness, level_mean
from harness.verdicts.intervals import Side, differences


def ranked(
    rows: Sequence[Score], name: str, table: ScoreTable, controls: ControlSet, own: str | None
) -> dict[str, Score]:
    """Rows with their rank group; a metric that is not meant to rank, or has no passport here, ranks nobody."""
    sides = [Side(name, (table,))] + [
        Side(one.card.name, one.tables) for one in controls.of_kind("negative") if one.card.name != own
    ]
    asked = [
        row for row in rows if row.may_rank and row.passport == "passport" and row.difference is not None
    ]
    asked = [row for row in asked if all(row.key in side.tables[0].values for side in sides)]
    if not asked or len(sides) < 2:
        return {}
    keys = [row.key for row in asked]
    found = {
        pair: differences(sides[pair[0]], sides[pair[1]], keys, resamples=0)
        for pair in itertools.combinations(range(len(sides)), 2)
    }
    told = {}
    for row in asked:
        place = _place(row.key, sides, {pair: by[row.key] for pair, by in found.items()})
        if place is not None:
            told[row.key] = replace(row, group=place.group, ranks=(place.low, place.high), of=len(sides))
    return told


def _place(key: str, sides: Sequence[Side], pairs: dict[tuple[int, int], Interval]) -> Place | None:
    """The place of the first side; None where a side leaves a condition out, so that means speak of different ones."""
    tables = [side.tables[0].of_kind() for side in sides]
    scores = np.array(
        [level_mean(goodness(cards()[key], table.values[key]), table.contexts) for table in tables]
    )
    if not np.isfinite(scores).all():
        return None
    tested = {pair: one for pair, one in pairs.items() if np.isfinite(one.p)}
    if not tested:
        return None
    q = dict(zip(tested, benjamini_hochberg([one.p for one in tested.values()]).q, strict=True))
    better = np.zeros((len(sides), len(sides)), np.bool_)
    for (i, j), one in tested.items():
        if q[i, j] < MOST_Q:
            better[i, j], better[j, i] = one.above, one.below
    return places(scores, better)[0]
