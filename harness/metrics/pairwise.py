"""Distances between cells, by matrix products, with the few ill-conditioned entries recomputed from differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.backend import accelerator

BLOCK_ROWS = 1024
CANCELLED = 1e-6
"""Share of |x|² + |y|² under which a squared distance has lost too many digits in the expansion."""


def squared_distances(
    x: NDArray[np.float64], y: NDArray[np.float64], *, same: bool = False
) -> NDArray[np.float64]:
    """Squared Euclidean distances [len(x), len(y)]; `same` says that y is x, whose diagonal is exactly 0."""
    if (gpu := accelerator()) is not None:
        return gpu.squared_distances(x, y, same=same, cancelled=CANCELLED)
    x_norms, y_norms = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    squared = x @ y.T
    squared *= -2
    squared += x_norms[:, None]
    squared += y_norms
    lost_rows, lost_cols = np.nonzero(squared < CANCELLED * (x_norms[:, None] + y_norms))
    if same:
        keep = lost_rows != lost_cols
        lost_rows, lost_cols = lost_rows[keep], lost_cols[keep]
    for start in range(0, len(lost_rows), BLOCK_ROWS):
        i, j = lost_rows[start : start + BLOCK_ROWS], lost_cols[start : start + BLOCK_ROWS]
        squared[i, j] = ((x[i] - y[j]) ** 2).sum(axis=1)
    if same:
        np.fill_diagonal(squared, 0.0)
    return np.maximum(squared, 0.0, out=squared)


def sum_of_distances(x: NDArray[np.float64], y: NDArray[np.float64] | None = None) -> float:
    """Σ |x_i − y_j| over all ordered pairs; of x with itself where y is not given."""
    if (gpu := accelerator()) is not None:
        return gpu.sum_of_distances(
            x, x if y is None else y, same=y is None, cancelled=CANCELLED, rows=BLOCK_ROWS
        )
    if y is None:
        return _sum_within(x)
    total = 0.0
    for start in range(0, len(x), BLOCK_ROWS):
        total += float(np.sqrt(squared_distances(x[start : start + BLOCK_ROWS], y)).sum())
    return total


def _sum_within(x: NDArray[np.float64]) -> float:
    total = 0.0
    for start in range(0, len(x), BLOCK_ROWS):
        block = x[start : start + BLOCK_ROWS]
        total += float(np.sqrt(squared_distances(block, block, same=True)).sum())
        rest = x[start + BLOCK_ROWS :]
        if len(rest):
            total += 2 * float(np.sqrt(squared_distances(block, rest)).sum())
    return total
