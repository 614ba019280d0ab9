"""The matrix of an `.h5ad` file as blocks of rows, whatever way it is stored; memory is bounded by one block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.errors import HarnessError
from harness.storage import reserve

BLOCK_VALUES = 8 << 20
"""Values of one block, were it dense."""


class Matrix(ABC):
    """Cells × genes, read in blocks of rows."""

    shape: tuple[int, int]

    def blocks(self, n_rows: int | None = None) -> Iterator[tuple[int, sparse.csr_array]]:
        """(first row, rows) of each block, in order; zeros are not stored, columns are in order."""
        step = max(1, BLOCK_VALUES // max(1, self.shape[1]))
        stop = self.shape[0] if n_rows is None else min(n_rows, self.shape[0])
        for start in range(0, stop, step):
            block = self._rows(start, min(start + step, stop))
            block.sum_duplicates()
            block.eliminate_zeros()
            yield start, block

    @abstractmethod
    def _rows(self, start: int, stop: int) -> sparse.csr_array: ...


class DenseMatrix(Matrix):
    """A two-dimensional dataset."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.shape = (int(dataset.shape[0]), int(dataset.shape[1]))

    def _rows(self, start: int, stop: int) -> sparse.csr_array:
        return sparse.csr_array(self._dataset[start:stop])


class CompressedRows(Matrix):
    """Compressed sparse rows, in a file or on scratch."""

    def __init__(self, data: Any, indices: Any, indptr: NDArray[np.int64], shape: tuple[int, int]) -> None:
        self._data, self._indices, self._indptr, self.shape = data, indices, indptr, shape

    def _rows(self, start: int, stop: int) -> sparse.csr_array:
        first, last = int(self._indptr[start]), int(self._indptr[stop])
        data, indices = np.array(self._data[first:last]), np.array(self._indices[first:last])
        if len(indices) and not (indices.min() >= 0 and indices.max() < self.shape[1]):
            raise HarnessError(
                "sparse matrix points at genes that do not exist",
                where=f"rows {start} to {stop - 1}",
                got=f"column indices {int(indices.min())} to {int(indices.max())}",
                expected=f"0 to {self.shape[1] - 1}",
            )
        return sparse.csr_array(
            (data, indices, self._indptr[start : stop + 1] - first), shape=(stop - start, self.shape[1])
        )


def open_matrix(node: h5py.Dataset | h5py.Group, scratch: Path) -> Matrix:
    """The matrix at a node of a file. Compressed columns are first turned into rows on `scratch`."""
    if isinstance(node, h5py.Dataset):
        if node.ndim != 2 or node.dtype.kind not in "fiub":
            raise HarnessError(
                "matrix is not numeric", where=node.name, got=f"{node.dtype} of shape {node.shape}"
            )
        return DenseMatrix(node)
    kind = _text(node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", "")))
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    if shape is None or not kind.startswith(("csr", "csc")) or not {"data", "indices", "indptr"} <= set(node):
        raise HarnessError(
            "matrix has an unknown encoding",
            where=node.name,
            got=f"{kind or 'no encoding'}, members {', '.join(node)}",
            expected="a dense dataset, csr_matrix or csc_matrix",
            mend="write the file with a current anndata",
        )
    size = (int(shape[0]), int(shape[1]))
    by_row = kind.startswith("csr")
    indptr = np.asarray(node["indptr"][()], np.int64)
    n_values = int(node["data"].shape[0])
    if (
        len(indptr) != size[0 if by_row else 1] + 1
        or indptr[0] != 0
        or indptr[-1] != n_values
        or (np.diff(indptr) < 0).any()
    ):
        raise HarnessError(
            "sparse matrix is broken",
            where=f"{node.name}/indptr",
            got=f"{len(indptr)} entries, from {indptr[:1]} to {indptr[-1:]}",
            expected=f"{size[0 if by_row else 1] + 1} rising entries from 0 to {n_values}",
        )
    if by_row:
        return CompressedRows(node["data"], node["indices"], indptr, size)
    return _rows_on_scratch(node, indptr, size, scratch)


def _rows_on_scratch(
    node: h5py.Group, indptr: NDArray[np.int64], shape: tuple[int, int], scratch: Path
) -> CompressedRows:
    """Counting sort of compressed columns into compressed rows, through memory maps."""
    n_values = int(indptr[-1])
    blocks = [slice(i, min(i + BLOCK_VALUES, n_values)) for i in range(0, n_values, BLOCK_VALUES)]
    per_row = np.zeros(shape[0], np.int64)
    for block in blocks:
        rows = np.asarray(node["indices"][block])
        if rows.min() < 0 or rows.max() >= shape[0]:
            raise HarnessError("sparse matrix points at rows that do not exist", where=f"{node.name}/indices")
        per_row += np.bincount(rows, minlength=shape[0])
    starts = np.concatenate([[0], np.cumsum(per_row)])
    data = _scratch_array(scratch / "data", node["data"].dtype, n_values)
    columns = _scratch_array(scratch / "columns", np.dtype(np.int32), n_values)
    place = starts[:-1].copy()
    for block in blocks:
        rows = np.asarray(node["indices"][block])
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        first = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
        run = np.diff(np.concatenate([first, [len(rows)]]))
        target = place[rows] + np.arange(len(rows)) - np.repeat(first, run)
        data[target] = np.asarray(node["data"][block])[order]
        columns[target] = (np.searchsorted(indptr, np.arange(block.start, block.stop), side="right") - 1)[
            order
        ]
        place[rows[first]] += run
    return CompressedRows(data, columns, starts, shape)


def _scratch_array(path: Path, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
    """A memory-mapped array to be filled, whose space is taken."""
    path.touch()
    reserve(path, max(1, length) * dtype.itemsize)
    return np.memmap(path, dtype, "r+", shape=(max(1, length),))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
