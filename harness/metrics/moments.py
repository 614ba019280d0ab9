"""First and second moments of groups of cells, accumulated in float64 in fixed blocks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 512
"""Rows added up at once. Fixed, so that a sum does not depend on how its rows were handed over."""


class Moments(NamedTuple):
    """Count, mean and sum of squared deviations per gene."""

    n: int
    mean: NDArray[np.float64]  # [genes]
    squares: NDArray[np.float64]  # [genes]; Σ (x − mean)²

    @property
    def variance(self) -> NDArray[np.float64]:
        """Sample variance (n − 1); NaN for fewer than two cells."""
        if self.n < 2:
            return np.full_like(self.squares, np.nan)
        return self.squares / (self.n - 1)

    @property
    def population_sd(self) -> NDArray[np.float64]:
        return np.asarray(np.sqrt(self.squares / self.n))


def moments(cells: NDArray[Any]) -> Moments:
    """Moments of a group of cells [cells, genes], read in blocks.

    Blocks are merged by the pairwise update of Chan, Golub and LeVeque, which stays accurate for values far from zero.
    """
    n, n_genes = cells.shape
    total = Moments(0, np.zeros(n_genes), np.zeros(n_genes))
    for start in range(0, n, BLOCK_ROWS):
        block = np.ascontiguousarray(cells[start : start + BLOCK_ROWS], np.float64)
        mean = block.mean(axis=0)
        total = merge(total, Moments(len(block), mean, ((block - mean) ** 2).sum(axis=0)))
    return total


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of two groups together."""
    n = a.n + b.n
    if n == 0:
        return a
    gap = b.mean - a.mean
    return Moments(n, a.mean + gap * (b.n / n), a.squares + b.squares + gap**2 * (a.n * b.n / n))
