"""What metrics are computed from: one condition as cells, one condition as effects, one context as profiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.metrics.mannwhitney import RankedControl
from harness.metrics.moments import Moments, moments

Cells = NDArray[np.float32]  # [cells, genes]
Profile = NDArray[np.float64]  # [genes]


@dataclass(frozen=True)
class Controls:
    """The control cells of one context, and what is computed of them once for all its conditions."""

    cells: Cells

    @cached_property
    def moments(self) -> Moments:
        return moments(self.cells)

    @cached_property
    def ranked(self) -> RankedControl:
        return RankedControl(self.cells)


@dataclass(frozen=True)
class ConditionCells:
    """One condition as cells: what distances and differential expression compare.

    Predicted cells are the query rows' own control cells plus the predicted effect, with Gaussian noise of the predicted
    variance only where that is the spread of single cells. Nothing is clipped.
    """

    observed: Cells
    predicted: Cells
    controls: Controls

    @cached_property
    def observed_moments(self) -> Moments:
        return moments(self.observed)

    @cached_property
    def predicted_moments(self) -> Moments:
        return moments(self.predicted)


@dataclass(frozen=True)
class ContextProfiles:
    """The conditions of one context as means, for metrics that compare conditions with each other."""

    perturbations: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]
    """Gene positions of each condition's own targets."""
    observed: NDArray[np.float64]  # [conditions, genes]; mean expression of the observed cells
    predicted: NDArray[np.float64]  # [conditions, genes]; mean expression of the predicted cells
    control: Profile
    """Mean of all controls of the context: the reference of published definitions, on both sides."""
    observed_effect: NDArray[np.float64]  # [conditions, genes]; observed − pool B
    predicted_effect: NDArray[np.float64]  # [conditions, genes]; predicted − each row's own pool-A control
    train_effect: Profile
    """Mean training effect, the centre of centred metrics."""
