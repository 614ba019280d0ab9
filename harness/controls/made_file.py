"""Predictions that a control writes: ordinary files, accepted by the check that every submission passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import Expected, PredictionsFile, open_predictions
from harness.datasets.npy import create_array, save_array
from harness.digest import BLOCK_BYTES

Matrix = NDArray[np.float32]  # [rows, genes]


def create_matrices(folder: Path, names: Sequence[str], n_rows: int, n_genes: int) -> dict[str, Matrix]:
    """New arrays `mean`, `var`, … of a predictions folder, on disk, to be filled."""
    return {name: create_array(folder / f"{name}.npy", "<f4", (n_rows, n_genes)) for name in names}


def open_made(
    folder: Path, matrices: dict[str, Matrix], idx: NDArray[np.int64], genes: Sequence[str]
) -> PredictionsFile:
    """Close a filled folder and open it as what it is: predictions of these rows."""
    for matrix in matrices.values():
        if isinstance(matrix, np.memmap):
            matrix.flush()
    save_array(folder / "idx.npy", idx)
    return open_predictions(folder, Expected(len(idx), len(genes), genes, rows=np.sort(idx)))


def row_blocks(n_rows: int, n_genes: int) -> Iterator[slice]:
    """Slices of rows that are small enough to be held."""
    step = max(1, BLOCK_BYTES // (4 * n_genes))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
