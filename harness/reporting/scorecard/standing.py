"""The rank group of a run among the negative controls of its task: an order that says no more than comparisons do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.controls.control_set import ControlSet
from harness.metrics.card import cards
from harness.reporting.scorecard.sheet import Score
from harness.scoring.score_table import Floats
from harness.statistics.families import benjamini_hochberg
from harness.statistics.ranks import Place, places
from harness.statistics.round_robin import round_robin
from harness.verdicts.claims import MOST_Q
from harness.verdicts.direction import goodness, level_mean
from harness.verdicts.intervals import Side, differences, match


def ranked(rows: Sequence[Score], ours: Side, controls: ControlSet, own: str | None) -> dict[str, Score]:
    """Rows with their rank group; a metric that is not meant to rank, or has no passport here, ranks nobody."""
    sides = [ours] + [
        Side(one.card.name, one.tables) for one in controls.of_kind("negative") if one.card.name != own
    ]
    asked = [
        row for row in rows if row.may_rank and row.passport == "passport" and row.difference is not None
    ]
    asked = [row for row in asked if all(row.key in side.tables[0].values for side in sides)]
    if not asked or len(sides) < 2:
        return {}
    estimate, p = _every_pair(sides, [row.key for row in asked])
    told = {}
    for i, row in enumerate(asked):
        place = _place(row.key, sides, estimate[:, :, i], p[:, :, i])
        if place is not None:
            told[row.key] = replace(row, group=place.group, ranks=(place.low, place.high), of=len(sides))
    return told


def _every_pair(sides: Sequence[Side], keys: Sequence[str]) -> tuple[Floats, Floats]:
    """The difference `i − j` and its p of every pair on every metric, each over what both define. [sides, sides, metrics]"""
    conditions = match(sides)
    contexts = np.array([one.context for one in conditions])
    perturbations = np.array([one.perturbation for one in conditions])
    values = [side.values(keys) for side in sides]
    known = np.stack([np.isfinite(one).all(axis=1) for one in values])  # [sides, conditions, metrics]
    agreed = (known == known[0]).all(axis=(0, 1)) & known[0].any(axis=0)
    estimate = np.zeros((len(sides), len(sides), len(keys)))
    p = np.full_like(estimate, np.nan)
    for pattern in np.unique(known[0][:, agreed], axis=1).T:
        columns = np.flatnonzero(agreed & (known[0] == pattern[:, None]).all(axis=0))
        told = [one[pattern][:, :, columns] for one in values]
        found = round_robin(told, contexts[pattern], perturbations[pattern])
        estimate[:, :, columns], p[:, :, columns] = found
    for column in np.flatnonzero(~agreed).tolist():
        for i, j in itertools.combinations(range(len(sides)), 2):
            one = differences(sides[i], sides[j], [keys[column]], resamples=0)[keys[column]]
            estimate[i, j, column], estimate[j, i, column] = one.estimate, -one.estimate
            p[i, j, column] = p[j, i, column] = one.p
    return estimate, p


def _place(key: str, sides: Sequence[Side], estimate: Floats, p: Floats) -> Place | None:
    """The place of the first side; None where a side leaves a condition out, so that means speak of different ones."""
    tables = [side.reported[0] for side in sides]
    scores = np.array(
        [level_mean(goodness(cards()[key], table.values[key]), table.contexts) for table in tables]
    )
    pairs = np.triu_indices(len(sides), 1)
    tested = np.isfinite(p[pairs])
    if not np.isfinite(scores).all() or not tested.any():
        return None
    q = np.ones(len(tested))
    q[tested] = benjamini_hochberg(p[pairs][tested]).q
    shown = np.zeros(p.shape, np.bool_)
    shown[pairs] = q < MOST_Q
    return places(scores, (shown | shown.T) & (estimate > 0))[0]
