"""The end of a zip archive: the records that say where its directory lies, which must be the file's last bytes.

Format: PKWARE APPNOTE 6.3, with ZIP64.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from harness.contract.faults import FaultError

_END, _LOCATOR, _END64 = struct.Struct("<4s4H2IH"), struct.Struct("<4sIQI"), struct.Struct("<4sQ2H2I4Q")
_FULL = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
"""What the short end record holds where only the long one can say it."""
REWRITE = "write it with numpy.savez"
COPY_AGAIN = "copy it again, or write it again: it is incomplete or damaged"


class Directory(NamedTuple):
    """Where the directory of an archive lies."""

    n_members: int
    start: int
    size: int


def find_directory(fd: int, file_size: int) -> Directory:
    """Find the directory from the end of the file; whatever does not lead there without doubt is refused."""
    end_at = file_size - _END.size
    tail = os.pread(fd, _END.size, max(0, end_at))
    if len(tail) < _END.size or not tail.startswith(b"PK\5\6"):
        raise _no_end(fd, file_size)
    _, disk, first_disk, n_here, n_members, size, start, comment = _END.unpack(tail)
    directory_end = end_at
    locator = os.pread(fd, _LOCATOR.size, max(0, end_at - _LOCATOR.size))
    if locator.startswith(b"PK\6\7"):
        directory_end, (disk, first_disk, n_here, n_members, size, start) = _read_end64(
            fd, locator, end_at, (disk, first_disk, n_here, n_members, size, start)
        )
    if disk or first_disk or n_here != n_members:
        raise FaultError(
            "is one part of an archive in several parts",
            got=f"disk {disk}, {n_here} of {n_members} members",
            expected="one file",
            mend=REWRITE,
        )
    if comment or start + size != directory_end:
        raise FaultError(
            "has a zip directory that is not where its end record says",
            got=f"bytes {start}–{start + size}, comment of {comment} bytes",
            expected=f"ending at byte {directory_end}, no comment",
            mend=REWRITE,
        )
    return Directory(n_members, start, size)


def _no_end(fd: int, file_size: int) -> FaultError:
    window = min(file_size, _END.size + 0xFFFF)
    tail = os.pread(fd, window, file_size - window)
    found = tail.rfind(b"PK\5\6")
    behind = len(tail) - found - _END.size
    if found >= 0 and behind > 0:
        comment = int.from_bytes(tail[found + 20 : found + 22], "little")
        what = "has a comment" if comment == behind else "goes on after the end of the zip archive"
        expected = "an archive without comment and without trailing bytes"
        return FaultError(what, got=f"{behind} more bytes", expected=expected, mend=REWRITE)
    head = os.pread(fd, 8, 0)
    if head.startswith(b"PK\3\4"):
        return FaultError(
            "is a zip archive cut short: its directory is missing",
            got=f"{file_size} bytes",
            expected="an end record in the last 22 bytes",
            mend=COPY_AGAIN,
        )
    return FaultError(
        "is not a zip archive", got=repr(head), expected="an .npz file, as numpy.savez writes", mend=REWRITE
    )


def _read_end64(
    fd: int, locator: bytes, end_at: int, short: tuple[int, ...]
) -> tuple[int, tuple[int, int, int, int, int, int]]:
    """The ZIP64 end record, which must say what the short one says wherever that one is not full."""
    _, _, at, disks = _LOCATOR.unpack(locator)
    expected_at = end_at - _LOCATOR.size - _END64.size
    raw = os.pread(fd, _END64.size, max(0, expected_at))
    if at != expected_at or disks != 1 or len(raw) < _END64.size or not raw.startswith(b"PK\6\6"):
        raise FaultError(
            "has a ZIP64 locator that points nowhere",
            got=f"byte {at} of {disks} disks",
            expected=f"byte {expected_at} of 1 disk",
            mend=REWRITE,
        )
    _, length, _, _, *long = _END64.unpack(raw)
    if length != _END64.size - 12 or any(a not in (b, f) for a, b, f in zip(short, long, _FULL, strict=True)):
        raise FaultError(
            "has two end records that contradict each other",
            got=f"{list(long)} in ZIP64",
            expected=f"{list(short)}",
            mend=REWRITE,
        )
    disk, first_disk, n_here, n_members, size, start = long
    return at, (disk, first_disk, n_here, n_members, size, start)
