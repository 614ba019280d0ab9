"""Content hashes: SHA-256 over tagged, length-prefixed fields.

The same content gives the same hash on any platform; two different contents never share the bytes that are hashed,
because each field carries its name, its kind and its length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.storage import canonical_json

BLOCK_BYTES = 16 << 20


class Digest:
    """A running content hash of one domain, e.g. `Digest("split").field("seed", 7).hexdigest()`."""

    def __init__(self, domain: str) -> None:
        self._sha = hashlib.sha256()
        self._put(b"harness", domain.encode())

    def field(self, name: str, value: str | bytes | int | float | bool | None) -> Digest:
        """Add one scalar field."""
        kind = type(value).__name__
        raw = (
            value
            if isinstance(value, bytes)
            else repr(value).encode()
            if not isinstance(value, str)
            else value.encode()
        )
        self._put(name.encode(), kind.encode(), raw)
        return self

    def json(self, name: str, value: Any) -> Digest:
        """Add a JSON value in canonical form."""
        self._put(name.encode(), b"json", canonical_json(value).encode())
        return self

    def strings(self, name: str, values: Iterable[str]) -> Digest:
        """Add an ordered list of strings."""
        inner = hashlib.sha256()
        count = 0
        for value in values:
            raw = value.encode()
            inner.update(len(raw).to_bytes(8, "little") + raw)
            count += 1
        self._put(name.encode(), b"strings", count.to_bytes(8, "little"), inner.digest())
        return self

    def array(self, name: str, array: NDArray[Any]) -> Digest:
        """Add an array: dtype, shape and little-endian C-order bytes, read in blocks so that a memory map stays on disk."""
        self._put(name.encode(), b"array", bytes.fromhex(array_hash(array)))
        return self

    def hexdigest(self) -> str:
        return self._sha.hexdigest()

    def _put(self, *parts: bytes) -> None:
        for part in parts:
            self._sha.update(len(part).to_bytes(8, "little"))
            self._sha.update(part)


def array_hash(array: NDArray[Any]) -> str:
    """SHA-256 of an array's dtype, shape and little-endian C-order bytes."""
    dtype = array.dtype.newbyteorder("<")
    sha = hashlib.sha256()
    head = f"array|{dtype.str}|{array.shape}".encode()
    sha.update(len(head).to_bytes(8, "little") + head)
    for block in _row_blocks(array):
        sha.update(np.ascontiguousarray(block, dtype=dtype).data)
    return sha.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def seed_from(*axes: object) -> int:
    """A seed derived from named axes, never from a global: the same names give the same stream."""
    digest = Digest("seed")
    for position, axis in enumerate(axes):
        digest.field(str(position), str(axis))
    return int(digest.hexdigest()[:16], 16)


def _row_blocks(array: NDArray[Any]) -> Iterable[NDArray[Any]]:
    if array.ndim == 0 or array.size == 0:
        yield array.reshape(-1)
        return
    row_bytes = max(1, array.nbytes // array.shape[0])
    step = max(1, BLOCK_BYTES // row_bytes)
    for start in range(0, array.shape[0], step):
        yield array[start : start + step]
