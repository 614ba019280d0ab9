"""What metrics are computed from: one condition as cells, one context as profiles, a task as forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.metrics.mannwhitney import RankedControl
from harness.metrics.moments import Moments, moments
from harness.metrics.pairwise import BLOCK_ROWS, sum_of_distances

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

    @cached_property
    def mean_distance(self) -> float:
        """Mean distance of all ordered pairs of control cells, each cell with itself included."""
        blocks = range(0, len(self.cells), BLOCK_ROWS)
        total = 0.0
        for start in blocks:
            block = np.asarray(self.cells[start : start + BLOCK_ROWS], np.float64)
            total += sum_of_distances(block)
            for other in range(start + BLOCK_ROWS, len(self.cells), BLOCK_ROWS):
                rest = np.asarray(self.cells[other : other + BLOCK_ROWS], np.float64)
                total += 2 * sum_of_distances(block, rest)
        return total / len(self.cells) ** 2


@dataclass(frozen=True)
class ConditionCells:
    """One condition as cells: what distances and differential expression compare.

    Predicted cells are the query rows' own control cells plus the predicted effect, with Gaussian noise of the predicted
    variance only where that is the spread of single cells. Nothing is clipped.
    """

    observed: Cells
    predicted: Cells
    controls: Controls
    own_controls: Controls | None = None
    """Control cells that a prediction brought itself, as other programs allow; in the harness none does."""

    @property
    def predicted_controls(self) -> Controls:
        return self.controls if self.own_controls is None else self.own_controls

    def remind(self, observed: Moments, predicted: Moments) -> None:
        """Hand over moments that were computed before."""
        # cached properties are looked up in the instance first
        self.__dict__.update(observed_moments=observed, predicted_moments=predicted)

    @cached_property
    def observed_moments(self) -> Moments:
        return moments(self.observed)

    @cached_property
    def predicted_moments(self) -> Moments:
        return moments(self.predicted)


@dataclass(frozen=True)
class ConditionEffects:
    """One condition as effects: observed minus one reference, predicted minus each row's own pool-A control."""

    observed: Profile
    predicted: Profile
    train: Profile | None
    """Mean training effect, the centre of centred metrics; None where nothing was trained on."""
    targets: tuple[int, ...]
    """Gene positions of the own targets, which calibrated metrics leave out."""
    cells: Moments | None
    """Of the observed cells; of their effects where rows are effects already; None where only their mean is known."""
    reference: Moments | None
    """Of the reference controls; None where rows are effects already and no reference adds its noise."""
    halves: tuple[Moments, Moments] | None
    """Of two disjoint random halves of the observed cells; None where there are too few."""
    rest: Moments | None
    """Of the observed cells of all other perturbations of the context; None where there are none."""


@dataclass(frozen=True)
class CalibratedCells:
    """One condition as cells whose two sides share no control."""

    observed: Cells
    predicted: Cells
    basal: Cells
    """The pool-A controls that the predicted cells were built on, row by row: the prediction of no effect."""
    reference: Controls
    """Pool B, the controls that the observed cells are compared with."""
    targets: tuple[int, ...]
    """Gene positions of the own targets, which are left out."""
    seed: int
    """Draws halves and samples; derived from the names of task and condition, never from the submission."""


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
    own_control: Profile | None = None
    """Mean of control cells that a prediction brought itself, as other programs allow; in the harness none does."""

    @property
    def predicted_control(self) -> Profile:
        return self.control if self.own_control is None else self.own_control
