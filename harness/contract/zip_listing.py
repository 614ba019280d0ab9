"""The listing of a zip archive, read from its directory and its local headers, which must agree to the byte.

Stricter than zip readers usually are: the members, the directory and its end record must fill the file without a gap or
an overlap, so that any two programs that read the archive see the same content.
Format: PKWARE APPNOTE 6.3, with ZIP64.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace

from harness.contract.faults import FaultError
from harness.contract.zip_directory import COPY_AGAIN, REWRITE, find_directory

MAX_MEMBERS = 16
STORED, DEFLATED = 0, 8
_MAX_DIRECTORY = 1 << 16
_ENTRY, _LOCAL = struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")
_KNOWN_FLAGS = 0b1000_0000_1110
"""Deflate level (bits 1, 2), sizes after the data (3), UTF-8 names (11)."""
_SIZES_FOLLOW = 1 << 3
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstandard", 95: "xz"}


@dataclass(frozen=True)
class Entry:
    """One member as the directory declares it."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes once unpacked."""
    offset: int
    """Where its local header starts."""
    mode: int
    """Unix file mode, 0 where the writer gave none."""
    data_offset: int = 0

    def refuse_kind(self) -> None:
        """Refuse members that cannot be read plainly: encrypted, packed by another method, links, devices."""
        if self.flags & _ENCRYPTED:
            raise FaultError(
                "is encrypted", got=f"flags {self.flags:#06x}", expected="a plain member", mend=REWRITE
            )
        if self.flags & ~_KNOWN_FLAGS:
            raise FaultError(
                "has unknown zip flags", got=f"flags {self.flags:#06x}", expected="none", mend=REWRITE
            )
        if self.method not in (STORED, DEFLATED):
            raise FaultError(
                "is packed by a method that is not read",
                got=_METHODS.get(self.method, f"method {self.method}"),
                expected="stored or deflated",
                mend="numpy.savez or numpy.savez_compressed",
            )
        if self.method == STORED and self.packed != self.size:
            raise FaultError(
                "is stored, yet its two sizes differ",
                got=f"{self.packed} bytes in the archive, {self.size} declared",
                expected="the same size twice",
                mend=REWRITE,
            )
        if self.mode and self.mode & 0o170000 not in (0, 0o100000):
            raise FaultError(
                "is a link, folder or device", got=f"mode {self.mode:#o}", expected="a file", mend=REWRITE
            )


def read_listing(fd: int, file_size: int) -> list[Entry]:
    """All members in file order, with the place of their data; an archive that does not hold together is refused."""
    found = find_directory(fd, file_size)
    if found.n_members > MAX_MEMBERS or found.size > _MAX_DIRECTORY:
        raise FaultError(
            "holds too many members",
            got=f"{found.n_members} in a directory of {found.size} bytes",
            expected=f"at most {MAX_MEMBERS}",
            mend="save the prediction arrays alone",
        )
    raw = os.pread(fd, found.size, found.start)
    entries, at = [], 0
    for _ in range(found.n_members):
        entry, at = _read_entry(raw, at)
        entries.append(entry)
    if at != found.size:
        raise FaultError(
            "has a zip directory of another length than declared",
            got=f"{at} bytes",
            expected=f"{found.size} bytes",
            mend=REWRITE,
        )
    return _place(fd, sorted(entries, key=lambda entry: entry.offset), found.start)


def _read_entry(raw: bytes, at: int) -> tuple[Entry, int]:
    head = raw[at : at + _ENTRY.size]
    if len(head) < _ENTRY.size or not head.startswith(b"PK\1\2"):
        raise FaultError(
            "has a damaged zip directory", got=repr(head[:8]), expected="a directory entry", mend=COPY_AGAIN
        )
    _, made_by, _, flags, method, _, _, crc, packed, size, *rest = _ENTRY.unpack(head)
    n_name, n_extra, n_comment, disk, _, attributes, offset = rest
    name_at = at + _ENTRY.size
    end = name_at + n_name + n_extra + n_comment
    raw_name, extra = raw[name_at : name_at + n_name], raw[name_at + n_name : name_at + n_name + n_extra]
    if end > len(raw) or disk not in (0, 0xFFFF) or n_comment:
        raise FaultError(
            "has a directory entry with a comment, another disk or a wrong length",
            got=f"comment of {n_comment} bytes, disk {disk}",
            expected="neither",
            mend=REWRITE,
        )
    size, packed, offset = _widen(extra, (size, packed, offset))
    mode = attributes >> 16 if made_by >> 8 == 3 else 0
    name = raw_name.decode("utf-8", "surrogateescape")
    return Entry(name, flags, method, crc, packed, size, offset, mode), end


def _widen(extra: bytes, fields: tuple[int, ...]) -> list[int]:
    """Replace the 32-bit fields that are full by their 64-bit values from the ZIP64 extra field."""
    long, at = b"", 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        if tag == 1:
            long = extra[at + 4 : at + 4 + length]
        at += 4 + length
    widened = []
    for field in fields:
        if field == 0xFFFFFFFF:
            if len(long) < 8:
                raise FaultError(
                    "lacks the ZIP64 sizes that it announces",
                    got=f"{len(long)} bytes",
                    expected="8",
                    mend=REWRITE,
                )
            field, long = int.from_bytes(long[:8], "little"), long[8:]
        widened.append(field)
    return widened


def _place(fd: int, entries: list[Entry], directory_start: int) -> list[Entry]:
    """Find each member's data behind its local header; members must follow each other without gap or overlap."""
    placed, at = [], 0
    for entry in entries:
        if entry.offset != at:
            raise FaultError(
                "has members that overlap" if entry.offset < at else "has bytes that belong to no member",
                got=f"{entry.name!r} starts at byte {entry.offset}",
                expected=f"byte {at}",
                mend=REWRITE,
            )
        data_offset = _check_local(fd, entry)
        at = data_offset + entry.packed
        if at > directory_start:
            raise FaultError(
                "has a member that reaches beyond the data",
                got=f"{entry.name!r} ends at byte {at}",
                expected=f"at most byte {directory_start}",
                mend=COPY_AGAIN,
            )
        if entry.flags & _SIZES_FOLLOW:
            at += _descriptor_length(fd, at, entry)
        placed.append(replace(entry, data_offset=data_offset))
    if at != directory_start:
        raise FaultError(
            "has bytes that belong to no member",
            got=f"{directory_start - at} bytes before the directory",
            expected="none",
            mend=REWRITE,
        )
    return placed


def _check_local(fd: int, entry: Entry) -> int:
    head = os.pread(fd, _LOCAL.size, entry.offset)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
        raise FaultError(
            "has no member where its directory says",
            got=f"byte {entry.offset}",
            expected=f"{entry.name!r}",
            mend=COPY_AGAIN,
        )
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL.unpack(head)
    rest = os.pread(fd, n_name + n_extra, entry.offset + _LOCAL.size)
    name = rest[:n_name].decode("utf-8", "surrogateescape")
    size, packed = _widen(rest[n_name:], (size, packed))
    found = (name, flags, method, crc, packed, size)
    wanted = (entry.name, entry.flags, entry.method, entry.crc, entry.packed, entry.size)
    later = entry.flags & _SIZES_FOLLOW and found[3:] == (0, 0, 0)
    if found[:3] != wanted[:3] or (found[3:] != wanted[3:] and not later):
        raise FaultError(
            "has a member whose two headers contradict each other",
            got=f"(name, flags, method, crc, packed, size) = {found}",
            expected=f"{wanted}, as in the directory",
            mend=REWRITE,
        )
    return entry.offset + _LOCAL.size + len(rest)


def _descriptor_length(fd: int, at: int, entry: Entry) -> int:
    """The length of the record behind the data that repeats checksum and sizes, with or without mark, short or long."""
    found = os.pread(fd, 24, at)
    for sizes in ("<3I", "<I2Q"):
        if sizes == "<3I" and max(entry.packed, entry.size) > 0xFFFFFFFF:
            continue
        record = struct.pack(sizes, entry.crc, entry.packed, entry.size)
        for candidate in (b"PK\7\10" + record, record):
            if found.startswith(candidate):
                return len(candidate)
    raise FaultError(
        "has a member whose trailing sizes contradict the directory",
        got=repr(found[:16]),
        expected=f"{entry.crc:#x}, {entry.packed}, {entry.size}",
        mend=REWRITE,
    )
