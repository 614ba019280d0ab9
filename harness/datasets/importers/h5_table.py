"""Columns of an `.h5ad` table in every encoding that files have had: groups, legacy categories, compound datasets."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column: TypeAlias = pa.Array | NDArray[Any]
"""Text, with nulls where a name is missing, or numbers."""
READ_ROWS = 1 << 17
_META = ("__categories",)


class Table(Protocol):
    """A source's table of rows or genes, by column."""

    @property
    def names(self) -> list[str]: ...

    def index(self) -> pa.Array:
        """The row names."""
        ...

    def __getitem__(self, name: str) -> Column:
        """One column."""
        ...


class H5Table:
    """`obs` or `var` of a file."""

    def __init__(self, file: h5py.File, key: str) -> None:
        self._node = file[key]
        self._categories_in_uns = file.get("uns") if isinstance(self._node, h5py.Dataset) else None

    @property
    def names(self) -> list[str]:
        """The columns, without the index."""
        if isinstance(self._node, h5py.Dataset):
            return [name for name in self._node.dtype.names or () if name != self._index]
        return [str(name) for name in self._node if name not in (self._index, *_META)]

    def index(self) -> pa.Array:
        """The row names."""
        return as_text(self[self._index])

    def __getitem__(self, name: str) -> Column:
        node = self._node
        if isinstance(node, h5py.Dataset):
            values = node[name]
            categories = None
            if self._categories_in_uns is not None:
                categories = self._categories_in_uns.get(f"{name}_categories")
            return _array(values) if categories is None else _coded(values, _array(categories[()]))
        column = node[name]
        if isinstance(column, h5py.Group):
            return _group(column)
        reference = column.attrs.get("categories")
        if reference is not None:
            categories = (
                node.file[reference] if isinstance(reference, h5py.Reference) else node["__categories"][name]
            )
            return _coded(column[()], _array(categories[()]))
        return _dataset(column)

    @property
    def _index(self) -> str:
        if isinstance(self._node, h5py.Dataset):
            names = self._node.dtype.names or ()
            return "index" if "index" in names else next(iter(names), "index")
        told = self._node.attrs.get("_index", "_index")
        return told.decode() if isinstance(told, bytes) else str(told)


def as_text(column: Column) -> pa.Array:
    """A column as names: whole numbers without a point, what is missing as null."""
    if isinstance(column, pa.Array):
        return column
    if column.dtype == bool:
        return pa.array(np.where(column, "true", "false"))
    if np.issubdtype(column.dtype, np.floating):
        texts = [
            None if np.isnan(v) else str(int(v)) if float(v).is_integer() else repr(float(v)) for v in column
        ]
        return pa.array(texts, pa.string())
    return pa.array([str(v) for v in column], pa.string())


def _group(group: h5py.Group) -> Column:
    if "codes" in group:
        return _coded(group["codes"][()], _array(group["categories"][()]))
    values, mask = _array(group["values"][()]), np.asarray(group["mask"][()], bool)
    if isinstance(values, pa.Array):
        return pc.if_else(pa.array(mask), None, values)
    if values.dtype == bool and not mask.any():
        return values
    numbers = values.astype(np.float64)
    numbers[mask] = np.nan
    return numbers


def _coded(codes: NDArray[Any], categories: Column) -> Column:
    present = codes >= 0
    if not isinstance(categories, pa.Array):
        if present.all() and categories.dtype == bool:
            return np.asarray(categories[codes])
        categories = as_text(categories)
    indices = pa.array(codes.astype(np.int32), mask=~present)
    return pa.DictionaryArray.from_arrays(indices, categories).cast(pa.string())


def _dataset(dataset: h5py.Dataset) -> Column:
    """A plain column, read in parts so that names never stand in memory twice."""
    if dataset.dtype.kind not in "OSU":
        return np.asarray(dataset[()])
    parts = [_array(dataset[i : i + READ_ROWS]) for i in range(0, len(dataset), READ_ROWS)]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _array(values: Any) -> Column:
    values = np.asarray(values)
    if values.dtype.kind not in "OSU":
        return values
    return pa.array([v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()], pa.string())
