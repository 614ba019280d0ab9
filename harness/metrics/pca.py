"""Principal axes of truth and controls, once per task; both sides are centred with the same mean and projected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.backend import product
from harness.metrics.card import Undefined
from harness.metrics.sampling import sample

N_COMPONENTS = 100
BLOCK_ROWS = 512
MAX_CELLS = 20_000
WIDE = 4096
"""Genes from which axes are found from the products of cells instead of genes, with no more cells than this."""


@dataclass(frozen=True)
class PrincipalAxes:
    """Directions of largest variance."""

    mean: NDArray[np.float64]  # [genes]
    axes: NDArray[np.float64]  # [components, genes]; the largest weight of each is positive
    variance: NDArray[np.float64]  # [components]; of the cells along each axis

    def project(self, cells: NDArray[Any]) -> NDArray[np.float64]:
        """Cells or profiles [rows, genes] in the space of the axes [rows, components]; rows in fixed blocks."""
        out = np.empty((len(cells), len(self.axes)))
        for start in range(0, len(cells), BLOCK_ROWS):
            block = np.asarray(cells[start : start + BLOCK_ROWS], np.float64) - self.mean
            out[start : start + BLOCK_ROWS] = block @ self.axes.T
        return out


def chosen_rows(n_cells: int, n_genes: int, seed: int) -> NDArray[np.int64]:
    """Rows that axes are computed from: all, or a seeded sample of 20 000 (4096 where there are more than 4096 genes)."""
    return sample(n_cells, WIDE if n_genes > WIDE else MAX_CELLS, seed)


def principal_axes(cells: NDArray[Any], n_components: int = N_COMPONENTS) -> PrincipalAxes | Undefined:
    """Axes of cells [cells, genes], centred and not scaled; fewer where the cells have fewer dimensions.

    The covariance is summed over fixed blocks in double precision, so that the same cells give the same axes however they
    are stored.
    """
    n, n_genes = cells.shape
    if n < 2:
        return Undefined("principal axes need two cells")
    mean = sum(block.sum(axis=0) for block in _blocks(cells)) / n
    k = min(n_components, n - 1, n_genes)
    axes, squares = _of_genes(cells, mean, k) if n_genes <= max(n, 2) else _of_cells(cells, mean, k)
    kept = squares > squares[0] * 1e-12 if len(squares) else squares > 0
    if not kept.any():
        return Undefined("all cells are the same, there are no principal axes")
    axes, squares = axes[kept], squares[kept]
    peaks = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], 1)
    return PrincipalAxes(np.asarray(mean), axes * np.sign(peaks), squares / (n - 1))


def _of_genes(
    cells: NDArray[Any], mean: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_genes = cells.shape[1]
    products = np.zeros((n_genes, n_genes))
    for block in _blocks(cells):
        block -= mean
        products += product(block.T, block.T)
    squares, vectors = _largest(products, k)
    return vectors.T, squares


def _of_cells(
    cells: NDArray[Any], mean: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centred = np.concatenate([block - mean for block in _blocks(cells)])
    squares, vectors = _largest(product(centred, centred), k)
    axes = vectors.T @ centred
    lengths = np.sqrt(np.square(axes).sum(axis=1, keepdims=True))
    return axes / np.where(lengths == 0, 1.0, lengths), squares


def _largest(symmetric: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The k largest eigenvalues, largest first, and their vectors as columns."""
    from scipy.linalg import eigh

    n = len(symmetric)
    values, vectors = eigh(symmetric, subset_by_index=(n - k, n - 1), overwrite_a=True, check_finite=False)
    return np.maximum(values[::-1], 0.0), vectors[:, ::-1]


def _blocks(cells: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(cells), BLOCK_ROWS):
        yield np.array(cells[start : start + BLOCK_ROWS], np.float64)
