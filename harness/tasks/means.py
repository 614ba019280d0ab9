"""Means over rows that stay on disk, and effects of conditions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Labels
from harness.digest import BLOCK_BYTES
from harness.tasks.tables import blocks


def row_mean(X: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of some rows, read a block at a time. [genes]"""
    total = np.zeros(X.shape[1])
    for _, block in blocks(X, rows, "", None):
        total += block.sum(axis=0, dtype=np.float64)
    return total / len(rows)


def batch_sums(
    X: NDArray[np.float32], rows: NDArray[np.int64], batch: Labels
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Batches of some rows, how many rows each has, and their sums. [batches], [batches], [batches, genes]"""
    codes, inverse, counts = np.unique(batch.codes[rows], return_inverse=True, return_counts=True)
    sums = np.stack([row_mean(X, rows[inverse == i]) * n for i, n in enumerate(counts)])
    return codes, counts.astype(np.int64), sums


def condition_effects(
    dataset: PerturbDataset, labelled: NDArray[np.int64], indices: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Mean of `X − matched control` of the labelled rows of some conditions. [conditions, genes]"""
    of_row = dataset.conditions.of_row[labelled]
    step = max(1, BLOCK_BYTES // (8 * dataset.meta.n_vars))
    effects = np.zeros((len(indices), dataset.meta.n_vars))
    for i, index in enumerate(indices):
        rows = labelled[of_row == index]
        for start in range(0, len(rows), step):
            effects[i] += dataset.delta(rows[start : start + step]).sum(axis=0, dtype=np.float64)
        effects[i] /= len(rows)
    return effects
