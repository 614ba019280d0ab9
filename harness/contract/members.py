"""One array in a predictions file: described by its header, read in bounded blocks, memory-mapped where it lies."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.faults import FaultError, plural
from harness.contract.npy_header import HEAD_BYTES, NpyHeader, parse_npy_header

BLOCK_BYTES = 4 << 20
_PACKED_BYTES = 1 << 18


@dataclass(frozen=True)
class Member:
    """One array as it lies in a file: where its bytes are and how many there are to be."""

    name: str
    """With its ending: `mean.npy`."""
    handle: BinaryIO
    offset: int
    packed: int
    """Bytes in the file."""
    size: int
    """Bytes once unpacked."""
    deflated: bool = False
    crc: int | None = None

    def header(self) -> NpyHeader:
        """The array's header, which must account for every byte of the member."""
        header = parse_npy_header(self._head())
        if header.n_bytes != self.size:
            raise FaultError(
                "is not as long as its header says",
                got=f"{plural(self.size, 'byte')} in the member",
                expected=f"{plural(header.n_bytes, 'byte')} for {header}",
                mend="it is cut short or its header lies: write it again",
            )
        return header

    def _head(self) -> bytes:
        if not self.deflated:
            return os.pread(self.handle.fileno(), min(HEAD_BYTES, self.size), self.offset)
        packed = os.pread(self.handle.fileno(), min(4 * HEAD_BYTES, self.packed), self.offset)
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, HEAD_BYTES)[: self.size]
        except zlib.error as error:
            raise _damaged(str(error)) from None

    def blocks(self) -> Iterator[bytes]:
        """The unpacked bytes in order, checked against size and checksum at the end; never more than were declared."""
        crc, size = 0, 0
        for block in self._inflated() if self.deflated else self._raw():
            crc, size = zlib.crc32(block, crc), size + len(block)
            if size > self.size:
                break
            yield block
        if size != self.size:
            raise FaultError(
                "does not unpack to its declared size",
                got=f"{'at least ' if size > self.size else ''}{plural(size, 'byte')}",
                expected=plural(self.size, "byte"),
                mend="the archive is damaged or made to deceive: write it again",
            )
        if self.crc is not None and crc != self.crc:
            raise FaultError(
                "does not match its checksum",
                got=f"CRC-32 {crc:#010x}",
                expected=f"{self.crc:#010x}",
                mend="the file was damaged after it was written: copy or write it again",
            )

    def _raw(self, step: int = BLOCK_BYTES) -> Iterator[bytes]:
        at, end = self.offset, self.offset + self.packed
        while at < end:
            block = os.pread(self.handle.fileno(), min(step, end - at), at)
            if not block:
                return
            yield block
            at += len(block)

    def _inflated(self) -> Iterator[bytes]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for packed in self._raw(_PACKED_BYTES):
                if stream.eof:
                    raise _damaged("bytes after the end of the stream")
                yield stream.decompress(packed, BLOCK_BYTES)
                while stream.unconsumed_tail:
                    yield stream.decompress(stream.unconsumed_tail, BLOCK_BYTES)
            while held_back := stream.decompress(b"", BLOCK_BYTES) if not stream.eof else b"":
                yield held_back
        except zlib.error as error:
            raise _damaged(str(error)) from None
        if not stream.eof or stream.unused_data:
            raise _damaged("bytes after the end of the stream" if stream.eof else "the stream has no end")

    def array(self, header: NpyHeader, scratch: Path | None) -> NDArray[Any]:
        """The values as they are stored, memory-mapped; a packed member is first unpacked to a nameless scratch file."""
        if not self.deflated:
            for _ in self.blocks():
                pass
            return _map(self.handle, self.offset, header)
        with tempfile.TemporaryFile(dir=scratch) as unpacked:
            for block in self.blocks():
                unpacked.write(block)
            unpacked.flush()
            return _map(unpacked, 0, header)


def _map(handle: BinaryIO, offset: int, header: NpyHeader) -> NDArray[Any]:
    if 0 in header.shape:
        return np.empty(header.shape, header.dtype)
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    return np.memmap(
        handle, header.dtype, mode="r", offset=offset + header.length, shape=header.shape, order=order
    )


def _damaged(reason: str) -> FaultError:
    return FaultError(
        "has a damaged compressed stream",
        got=reason,
        expected="one deflate stream that fills the member",
        mend="the file was damaged after it was written: copy or write it again",
    )
