"""Arrays of an `.npz` file as blocks of rows, also from compressed members; nothing is unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

BLOCK_BYTES = 16 << 20


class NpzFile:
    """An open `.npz`; members are streamed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise HarnessError(
                "not a readable npz file", where=path, got=error, mend="write it with numpy.savez"
            ) from None
        self.members = [name.removesuffix(".npy") for name in self._archive.namelist()]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a member, from its header."""
        with self._open(name) as (_, shape, _dtype):
            return shape

    def read(self, name: str) -> NDArray[Any]:
        """A whole member, where it is small."""
        blocks = [block for _, block in self.blocks(name)]
        return np.concatenate(blocks) if blocks else np.empty(0)

    def blocks(self, name: str) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first row, rows) of a member, in order."""
        with self._open(name) as (stream, shape, dtype):
            width = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
            step = max(1, BLOCK_BYTES // max(1, width))
            for start in range(0, shape[0], step):
                rows = min(step, shape[0] - start)
                raw = _exactly(stream, rows * width, self.path, name)
                yield start, np.frombuffer(raw, dtype).reshape(rows, *shape[1:])

    def _open(self, name: str) -> _Member:
        if name not in self.members:
            raise HarnessError(f"npz has no array {name!r}", where=self.path, got=", ".join(self.members))
        return _Member(self._archive.open(f"{name}.npy"), self.path, name)


class _Member:
    """One array: its stream behind the header, shape and dtype."""

    def __init__(self, stream: IO[bytes], path: Path, name: str) -> None:
        self._stream = stream
        try:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self._shape, fortran, self._dtype = read(stream)
        except (ValueError, zipfile.BadZipFile) as error:
            raise HarnessError(f"array {name!r} is broken", where=path, got=error) from None
        if fortran or self._dtype.kind not in "fiub" or not self._shape:
            raise HarnessError(
                f"array {name!r} cannot be read",
                where=path,
                got=f"{self._dtype} of shape {self._shape}{', column-major' if fortran else ''}",
                expected="numbers, row-major",
                mend="save numpy.ascontiguousarray(array)",
            )

    def __enter__(self) -> tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]:
        return self._stream, self._shape, self._dtype

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _exactly(stream: IO[bytes], n_bytes: int, path: Path, name: str) -> bytes:
    try:
        raw = stream.read(n_bytes)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise HarnessError(f"array {name!r} is broken", where=path, got=error) from None
    if len(raw) != n_bytes:
        raise HarnessError(
            f"array {name!r} is cut short", where=path, got=f"{len(raw)} bytes", expected=f"{n_bytes}"
        )
    return raw
