"""All conformal layers of one calibration source: split, perturbation-level, Mondrian, normalised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Undefined
from harness.metrics.conformal import (
    ALPHA,
    BETA,
    Held,
    Scale,
    Threshold,
    conformal_quantile,
    gene_scores,
    hold,
    perturbation_scores,
)
from harness.metrics.forecasts import Forecasts

Array = NDArray[np.float64]
Positions = NDArray[np.int64]
Grouping = Literal["context", "strength", "seen"]
GROUPINGS: tuple[Grouping, ...] = ("context", "strength", "seen")
STRENGTHS = ("weak", "medium", "strong")
NO_STRATA = "the split does not say what was seen in training"
NOT_CALIBRATED = "no calibration perturbation is of this group"


@dataclass(frozen=True)
class Source:
    """Calibration conditions and the reported ones that their intervals are held against; all with a variance."""

    forecasts: Forecasts
    calibration: Positions
    reported: Positions

    def owners(self, positions: Positions) -> list[str]:
        return [self.forecasts.perturbations[i] for i in positions.tolist()]


@dataclass(frozen=True)
class Group:
    """A group known before the truth, with the intervals made for it alone."""

    n_calibration: int
    rows: Positions
    """Positions among the reported conditions."""
    held: Held | Undefined


@dataclass(frozen=True)
class Layers:
    """Everything that one calibration source says of the reported conditions."""

    n_calibration: int
    """Perturbations, the exchangeable units."""
    split: Held | Undefined
    perturbation: Held | Undefined
    normalised: Held | Undefined
    mondrian: dict[Grouping, dict[str, Group] | Undefined]


def conformal_layers(forecasts: Forecasts, kind: str) -> Layers:
    """Calibrate on conditions of a kind, hold against the reported ones; conditions without a variance have no part."""
    known = forecasts.rowwise(lambda block: (~block.unknown).astype(np.float64)) == 1
    of_kind, reported = forecasts.of_kind(kind), forecasts.of_kind("reported")
    source = Source(forecasts, of_kind[known[of_kind]], reported[known[reported]])
    strength = forecasts.rowwise(lambda block: np.sqrt(np.square(block.mean).sum(axis=1)))
    scores = forecasts.rowwise(perturbation_scores, source.calibration)
    return Layers(
        len(set(source.owners(source.calibration))),
        split=_gene_level(source, "none"),
        perturbation=_perturbation_level(source, scores, source.calibration, source.reported),
        normalised=_gene_level(source, "sd"),
        mondrian={by: _mondrian(source, scores, _labels(source, by, strength)) for by in GROUPINGS},
    )


def _gene_level(source: Source, scale: Scale) -> Held | Undefined:
    scores = source.forecasts.rowwise(lambda block: gene_scores(block, scale), source.calibration)
    reach = conformal_quantile(scores, source.owners(source.calibration), ALPHA)
    if isinstance(reach, Undefined):
        return reach
    return hold(source.forecasts, source.reported, Threshold(reach, scale))


def _perturbation_level(
    source: Source, scores: Array, calibration: Positions, reported: Positions
) -> Held | Undefined:
    reach = conformal_quantile(scores, source.owners(calibration), BETA)
    if isinstance(reach, Undefined):
        return reach
    rows = np.full((len(reported), 1), float(reach))
    return hold(source.forecasts, reported, Threshold(rows, "sd"))


def _mondrian(
    source: Source, scores: Array, labels: Callable[[Positions], Sequence[str]] | Undefined
) -> dict[str, Group] | Undefined:
    if isinstance(labels, Undefined):
        return labels
    near, far = np.array(labels(source.calibration), object), np.array(labels(source.reported), object)
    groups: dict[str, Group] = {}
    for name in sorted(set(far.tolist())):
        own, rows = np.flatnonzero(near == name), np.flatnonzero(far == name)
        held: Held | Undefined = Undefined(NOT_CALIBRATED)
        if len(own):
            held = _perturbation_level(source, scores[own], source.calibration[own], source.reported[rows])
        groups[name] = Group(len(set(source.owners(source.calibration[own]))), rows, held)
    return groups


def _labels(
    source: Source, by: Grouping, strength: Array
) -> Callable[[Positions], Sequence[str]] | Undefined:
    """A name for each condition, from what is known before the truth."""
    forecasts = source.forecasts
    if by == "context":
        return lambda positions: [forecasts.contexts[i] for i in positions.tolist()]
    if by == "seen":
        if all(forecasts.strata[i] is None for i in source.reported.tolist()):
            return Undefined(NO_STRATA)
        return lambda positions: [forecasts.strata[i] or "none" for i in positions.tolist()]
    if not len(source.calibration):
        return Undefined(NOT_CALIBRATED)
    parts = np.arange(1, len(STRENGTHS)) / len(STRENGTHS)
    edges = np.quantile(strength[source.calibration], parts, method="inverted_cdf")
    return lambda positions: [STRENGTHS[i] for i in np.searchsorted(edges, strength[positions]).tolist()]
