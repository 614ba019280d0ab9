"""Scaled scores: 0 is the train mean, 1 a replicate of the experiment, with raw value and anchors beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.controls.catalogue import CENTRED, CENTRED_ANCHOR, NEGATIVE_ANCHOR, POSITIVE_ANCHOR
from harness.controls.control_set import ControlSet
from harness.metrics.card import Card, Direction, cards
from harness.scoring.score_table import ScoreTable

ON_HALVES = (
    "scaled 1 is the technical duplicate, scored against the other half of the cells; raw value and scaled 0 are scored"
    " against all cells, which are less noisy, so that more than 1 is possible"
)
NO_DIRECTION = "a description, not a score"
NO_VALUE = "the submission has no value"
NOT_BRACKETED = "the replicate is no better than the mean: the metric is inverted or has no range here"


@dataclass(frozen=True)
class Scaled:
    """One metric of one submission between its anchors."""

    raw: float
    negative: float
    """Of the train mean, or of no effect where the metric is centred on that mean."""
    positive: float
    """Of the technical duplicate, mean over its halvings; its truth is a half, noisier than that of the other two."""
    positive_sd: float
    scaled: float | None
    """(raw − negative) / (positive − negative), never clipped."""
    reason: str | None
    """Why there is no scaled value."""


def scaled_scores(table: ScoreTable, controls: ControlSet) -> dict[str, Scaled]:
    """Every metric of a scored run between the anchors of its task."""
    known = cards()
    return {name: _scaled(known[name], name, table, controls) for name in table.overall if name in known}


def goodness(card: Card, value: float) -> float:
    """A value such that more is better: by the direction, or minus the distance to the optimum."""
    if card.direction is Direction.TARGET and card.optimum is not None:
        return -abs(value - card.optimum)
    return -value if card.direction is Direction.LOWER else value


def _scaled(card: Card, name: str, table: ScoreTable, controls: ControlSet) -> Scaled:
    anchor = CENTRED_ANCHOR if name in CENTRED else NEGATIVE_ANCHOR
    raw = table.overall[name]
    zero, replicate = controls.get(anchor), controls.get(POSITIVE_ANCHOR)
    negative = zero.overall(name) if zero else math.nan
    positive, sd = (replicate.overall(name), replicate.sd(name)) if replicate else (math.nan, math.nan)

    def found(scaled: float | None, reason: str | None) -> Scaled:
        return Scaled(raw, negative, positive, sd, scaled, reason)

    if card.direction is Direction.NONE:
        return found(None, NO_DIRECTION)
    if math.isnan(raw):
        return found(None, NO_VALUE)
    for value, what in ((negative, anchor), (positive, POSITIVE_ANCHOR)):
        if math.isnan(value):
            return found(None, f"{what} has no value")
    low, high = goodness(card, negative), goodness(card, positive)
    if high <= low:
        return found(None, NOT_BRACKETED)
    return found((goodness(card, raw) - low) / (high - low), None)
