"""What metrics are computed from: one condition as cells, one context as profiles, a task as forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

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


BLOCK_CONDITIONS = 128
"""Conditions whose arrays are held at once; each is computed on its own, so the number changes memory, not results."""
TOO_FEW_CELLS = "the variance of the observed effect cannot be estimated from fewer than two cells"


@dataclass(frozen=True)
class TrainingResiduals:
    """What a forecast must beat: the mean training effect, and how far training effects lie from it."""

    mean: Profile
    variance: Profile
    """Mean squared residual of each gene, the sampling noise of the training effects included."""


@dataclass(frozen=True)
class Forecasts:
    """Predicted effects with their variances beside the observed effects; one row a condition of any kind.

    The arrays may be memory-mapped and of any float type: they are read a block of conditions at a time, as float64.
    """

    perturbations: tuple[str, ...]
    contexts: tuple[str, ...]
    kinds: tuple[str, ...]
    """`reported`, `iid` (held out of the training distribution) or `calib` (for the conformal layer only)."""
    strata: tuple[str | None, ...]
    """What was seen in training of each condition's genes, where the split says so."""
    n_cells: NDArray[np.int64]  # [conditions]
    mean: NDArray[np.floating]  # [conditions, genes]
    observed: NDArray[np.floating]  # [conditions, genes]
    variance: NDArray[
        np.floating
    ]  # [conditions, genes]; of observed − mean: see `total_variance`; NaN: unknown
    sampling: NDArray[np.floating]  # [conditions, genes]; s²_T/n_T + s²_B/n_B alone, NaN where unknown
    claimed: NDArray[
        np.floating
    ]  # [conditions, genes]; the submission's own `var`, nothing added, or the filled one
    epistemic: (
        NDArray[np.floating] | None
    )  # [conditions, genes]; the part of `claimed` that is model uncertainty
    residuals: TrainingResiduals
    filled: bool = False
    """The variance is not the submission's: one per gene was filled in, the same for every condition."""
    no_variance: str = TOO_FEW_CELLS
    """Why a variance that is NaN is not known."""
    distance: NDArray[np.float64] | None = None  # [conditions]; distance to the training conditions

    def __len__(self) -> int:
        return len(self.perturbations)

    def of_kind(self, kind: str) -> NDArray[np.int64]:
        """Positions of the conditions of one kind."""
        return np.flatnonzero([found == kind for found in self.kinds])

    def blocks(self, positions: NDArray[np.int64] | None = None) -> Iterator[Forecasts]:
        """All conditions, or some, in order, a block at a time; one empty block where there are none."""
        chosen = np.arange(len(self)) if positions is None else positions
        for start in range(0, max(len(chosen), 1), BLOCK_CONDITIONS):
            yield self._take(chosen[start : start + BLOCK_CONDITIONS])

    def rowwise(
        self,
        function: Callable[[Forecasts], NDArray[np.float64]],
        positions: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """What a function says of each block, put together."""
        return np.concatenate([function(block) for block in self.blocks(positions)])

    def _take(self, positions: NDArray[np.int64]) -> Forecasts:
        def names(of: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(of[i] for i in positions.tolist())

        def rows(of: NDArray[np.floating]) -> NDArray[np.float64]:
            return np.ascontiguousarray(of[positions], dtype=np.float64)

        return replace(
            self,
            perturbations=names(self.perturbations),
            contexts=names(self.contexts),
            kinds=names(self.kinds),
            strata=names(self.strata),
            n_cells=self.n_cells[positions],
            mean=rows(self.mean),
            observed=rows(self.observed),
            variance=rows(self.variance),
            sampling=rows(self.sampling),
            claimed=rows(self.claimed),
            epistemic=None if self.epistemic is None else rows(self.epistemic),
            distance=None if self.distance is None else self.distance[positions],
        )

    @cached_property
    def unknown(self) -> NDArray[np.bool_]:
        """Conditions without a variance in some gene. [conditions]"""
        return np.asarray(np.isnan(self.variance).any(axis=1))

    @cached_property
    def residual(self) -> NDArray[np.float64]:
        """Observed − predicted. [conditions, genes]"""
        return np.asarray(self.observed - self.mean, np.float64)

    @cached_property
    def sd(self) -> NDArray[np.float64]:
        """[conditions, genes]"""
        return np.asarray(np.sqrt(self.variance), np.float64)

    @cached_property
    def z(self) -> NDArray[np.float64]:
        """Residual in standard deviations; ±∞ where a variance of 0 was wrong, 0 where it was right. [conditions, genes]"""
        return standardised(self.residual, self.sd)


def standardised(residual: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
    """residual / sd, where 0 / 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((residual == 0) & (sd == 0), 0.0, residual / sd)
