"""What the uncertainty panel is computed from: every condition of a task as a forecast beside what was observed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.variance import Effects, VarKind

BLOCK_CONDITIONS = 128
"""Conditions whose arrays are held at once; each is computed on its own, so the number changes memory, not results."""
TOO_FEW_CELLS = "the variance of the observed effect cannot be estimated from fewer than two cells"


@dataclass(frozen=True)
class TrainingResiduals:
    """What a forecast must beat: the mean training effect, and how far training effects lie from it."""

    mean: NDArray[np.float64]  # [genes]
    variance: NDArray[np.float64]  # [genes]
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
    mean: Effects
    observed: Effects
    variance: Effects
    """Of observed − mean, see `total_variance`; NaN where unknown."""
    sampling: Effects
    """Of the observed effect alone, s²_T/n_T + s²_B/n_B; NaN where unknown."""
    claimed: Effects
    """The submission's own `var`, nothing added; or the filled one."""
    epistemic: Effects | None
    """The part of `claimed` that is model uncertainty."""
    residuals: TrainingResiduals
    var_kind: VarKind = "effect"
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

        def rows(of: Effects) -> NDArray[np.float64]:
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
    """Residual over sd, where 0 / 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((residual == 0) & (sd == 0), 0.0, residual / sd)
