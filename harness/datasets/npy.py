"""`.npy` files with one possible header per (dtype, shape), so that a file is its content and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.meta import ArrayCard
from harness.digest import array_hash
from harness.errors import ChangedError, HarnessError
from harness.storage import reserve


def create_array(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A new memory-mapped array file, to be filled in place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = np.dtype(dtype).newbyteorder("<").str
    header = npy_header(dtype, shape)
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with path.open("wb") as handle:
        handle.write(header)
    reserve(path, len(header) + n_bytes)
    if n_bytes == 0:
        return np.empty(shape, np.dtype(dtype))
    return np.memmap(path, dtype=np.dtype(dtype), mode="r+", offset=len(header), shape=shape)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array under the same canonical header."""
    target = create_array(path, array.dtype.newbyteorder("<").str, array.shape)
    target[...] = array


def card_of(array: NDArray[Any]) -> ArrayCard:
    """Flush an array file and describe it."""
    if isinstance(array, np.memmap):
        array.flush()
    return ArrayCard(
        dtype=array.dtype.newbyteorder("<").str, shape=list(array.shape), sha256=array_hash(array)
    )


def open_array(path: Path, card: ArrayCard) -> NDArray[Any]:
    """Memory-map an array file read-only; header and size must be exactly those of its card."""
    shape, dtype = tuple(card.shape), np.dtype(card.dtype)
    header = npy_header(card.dtype, shape)
    expected = len(header) + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if not path.is_file():
        raise HarnessError(
            "a file of the dataset is missing", where=path, expected=f"{card.dtype} {card.shape}"
        )
    size = path.stat().st_size
    with path.open("rb") as handle:
        found = handle.read(len(header))
    if found != header or size != expected:
        raise ChangedError(
            "frozen array has another header or size than its card",
            where=path,
            got=f"{size} bytes, header {found[:80]!r}",
            expected=f"{expected} bytes, {card.dtype} {card.shape}, sha256 {card.sha256}",
            mend="restore the file from its source, or import it again under a new name",
        )
    if size == len(header):
        return np.empty(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=len(header), shape=shape)


def check_array(path: Path, card: ArrayCard) -> None:
    """Recompute an array's content hash."""
    found = array_hash(open_array(path, card))
    if found != card.sha256:
        raise ChangedError(
            "frozen content has changed",
            where=path,
            got=found,
            expected=card.sha256,
            mend="restore the file from its source, or import it again under a new name",
        )


def npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The one header, `.npy` version 1.0, of a little-endian C-order array."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()
