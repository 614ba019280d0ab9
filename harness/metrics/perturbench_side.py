"""One side of a condition as PerturBench compares cells: t-scores, and cells in the space of the principal axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from harness.metrics.card import Undefined
from harness.metrics.inputs import Controls, Profile
from harness.metrics.moments import Moments, moments
from harness.metrics.pair_scores import Cloud, mean_within
from harness.metrics.pca import PrincipalAxes
from harness.metrics.perturbench_aggregations import overestimated_variance_scores
from harness.metrics.sampling import sample

VALUE_CELLS = 2000
"""Cells of a condition and side that `mmd_pca` compares; a seeded sample where there are more."""
RANK_CELLS = 128
"""Cells of a condition and side that the ranks of `mmd_pca` compare, where every prediction meets every truth."""


@dataclass(frozen=True)
class Side:
    """One side of a condition; of the observed side it is computed once for all predictions."""

    scores: Profile | None
    """t-scores against the controls; None where there are too few cells."""
    cloud: Cloud | None
    """Cells in the space of the principal axes; None where there is none."""
    within: float | None = None
    """Mean distance within the cloud, where it is known already."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The side as arrays, to be stored."""
        return {name: value for name in ("scores", "cloud") if (value := getattr(self, name)) is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Side:
        """A side that was stored."""
        return cls(arrays.get("scores"), arrays.get("cloud"))

    def measured(self) -> Side:
        """With the mean distance within the cloud."""
        return self if self.cloud is None else replace(self, within=mean_within(self.cloud))

    def for_ranks(self, seed: int) -> Side:
        """With no more cells than ranks compare."""
        if self.cloud is None:
            return self
        return Side(self.scores, self.cloud[sample(len(self.cloud), RANK_CELLS, seed)])


def side(
    cells: NDArray[Any],
    controls: Controls,
    axes: PrincipalAxes | Undefined,
    seed: int,
    known: Moments | None = None,
) -> Side:
    """t-scores of cells [cells, genes] against the controls, and the cells in the space of the axes.

    `known` are the moments of the cells, where they were computed already.
    """
    scores = None
    if len(cells) > 1 and len(controls.cells) > 1:
        scores = overestimated_variance_scores(moments(cells) if known is None else known, controls.moments)
    if isinstance(axes, Undefined):
        return Side(scores, None)
    return Side(scores, axes.project(cells[sample(len(cells), VALUE_CELLS, seed)]))
