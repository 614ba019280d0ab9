"""Files that are no archive, archives that say two things at once, and members that are not what they seem."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Arrays = dict[str, np.ndarray[Any, Any]]
MEMBERS = ("mean", "var", "idx")


@dataclass
class Piece:
    """One member, with every number of its headers open to a lie."""

    name: bytes
    data: bytes
    method: int = 0
    flags: int = 0
    crc: int = 0
    size: int = 0
    packed: int | None = None
    mode: int = 0
    extra: bytes = b""
    comment: bytes = b""
    after: bytes = b""
    """Bytes behind the data."""
    offset: int | None = None
    local: dict[str, Any] = field(default_factory=dict)
    """What the local header says differently."""

    def local_header(self) -> bytes:
        said = {**self.__dict__, **self.local}
        packed = len(self.data) if said["packed"] is None else said["packed"]
        numbers = (20, said["flags"], said["method"], 0, 0, said["crc"], packed, said["size"])
        head = struct.pack("<4s5H3I2H", b"PK\3\4", *numbers, len(said["name"]), len(said["extra"]))
        return head + said["name"] + said["extra"]

    def entry(self, at: int) -> bytes:
        packed = len(self.data) if self.packed is None else self.packed
        numbers = (3 << 8 | 20, 20, self.flags, self.method, 0, 0, self.crc, packed, self.size)
        lengths = (len(self.name), len(self.extra), len(self.comment))
        where = (0, 0, self.mode << 16, at if self.offset is None else self.offset)
        head = struct.pack("<4s6H3I5H2I", b"PK\1\2", *numbers, *lengths, *where)
        return head + self.name + self.extra + self.comment


def archive(pieces: list[Piece], *, gap: bytes = b"", before_end: bytes = b"", **end: Any) -> bytes:
    """A zip archive of the pieces; `end` overrides numbers of the end record."""
    body, directory = b"", b""
    for piece in pieces:
        directory += piece.entry(len(body))
        body += piece.local_header() + piece.data + piece.after
    body += gap
    said = {"disk": 0, "here": len(pieces), "count": len(pieces), "size": len(directory), "start": len(body)}
    said |= {"comment": b"", "tail": b"", **end}
    numbers = (
        said["disk"],
        0,
        said["here"],
        said["count"],
        said["size"],
        said["start"],
        len(said["comment"]),
    )
    end_record = struct.pack("<4s4H2IH", b"PK\5\6", *numbers)
    return body + directory + before_end + end_record + said["comment"] + said["tail"]


def pieces_of(good: Arrays, *, packed: bool = False) -> list[Piece]:
    pieces = []
    for name in MEMBERS:
        buffer = io.BytesIO()
        np.save(buffer, good[name])
        raw = buffer.getvalue()
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        data = squeeze.compress(raw) + squeeze.flush() if packed else raw
        piece = Piece(name.encode() + b".npy", data, 8 if packed else 0, crc=zlib.crc32(raw), size=len(raw))
        pieces.append(piece)
    return pieces


def lie(*, deflate: bool = False, **said: Any) -> Callable[[Arrays], bytes]:
    """An archive whose first member says something else."""

    def write(good: Arrays) -> bytes:
        first, *rest = pieces_of(good, packed=deflate)
        for key, value in said.items():
            setattr(first, key, value(first) if callable(value) else value)
        return archive([first, *rest])

    return write


def whole(**end: Any) -> Callable[[Arrays], bytes]:
    """A sound set of members in an archive whose end says something else."""
    return lambda good: archive(pieces_of(good), **end)


def named(name: bytes) -> Callable[[Arrays], bytes]:
    return lambda good: archive([*pieces_of(good), Piece(name, b"")])


def deflated(raw: bytes) -> bytes:
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15)
    return squeeze.compress(raw) + squeeze.flush()


def overlapping(good: Arrays) -> bytes:
    mean, var, idx = pieces_of(good)
    var.offset = 0
    return archive([mean, var, idx])


def bomb(good: Arrays) -> bytes:
    """Says that it unpacks to the size of a good member, and unpacks to 256 MiB."""
    first, *rest = pieces_of(good)
    head = first.data[: first.size - good["mean"].nbytes]
    first.data, first.method = deflated(head + bytes(256 << 20)), 8
    return archive([first, *rest])


def announced_bomb(good: Arrays) -> bytes:
    """Says truly that it unpacks to 256 MiB; its header agrees."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f4", "fortran_order": False, "shape": (1 << 16, 1 << 10)}
    )
    raw = buffer.getvalue() + bytes(256 << 20)
    _, *rest = pieces_of(good)
    return archive([Piece(b"mean.npy", deflated(raw), 8, crc=zlib.crc32(raw), size=len(raw)), *rest])


def zip64_end(at: int, count: int, size: int, start: int) -> bytes:
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)


SYMLINK, DEVICE = 0o120777, 0o020666
BYTES: dict[str, tuple[Callable[[Arrays], bytes], str, str]] = {
    "plain text": (lambda _: b"mean,var\n0,1\n", "file", "is not a zip archive; got b'mean,var'"),
    "an empty file": (lambda _: b"", "file", "is empty"),
    "a lone npy": (lambda _: b"\x93NUMPY\x01\x00" + bytes(99), "file", "not a zip archive; got b'\\x93NUMPY"),
    "a gzip file": (lambda _: b"\x1f\x8b\x08" + bytes(40), "file", "not a zip archive; got b'\\x1f\\x8b"),
    "an empty archive": (lambda _: archive([]), "mean", "is missing"),
    "bytes behind the archive": (
        whole(tail=b"extra"),
        "file",
        "goes on after the end of the zip archive; got 5",
    ),
    "a comment": (whole(comment=b"hello"), "file", "has a comment; got 5 more bytes"),
    "a comment that hides an archive": (
        lambda good: archive(pieces_of(good), comment=archive(pieces_of(good))),
        "file",
        "has a zip directory that is not where its end record says",
    ),
    "a program before the archive": (
        lambda good: b"#!/bin/sh\n" + archive(pieces_of(good)),
        "file",
        "has a zip directory that is not where its end record says",
    ),
    "a path that climbs": (named(b"../../evil.npy"), "../../evil", "climbs out of its folder"),
    "an absolute path": (named(b"/etc/cron.d/evil"), "/etc/cron.d/evil", "has an absolute path"),
    "a drive": (named(b"C:mean.npy"), "C:mean", "has an absolute path"),
    "a backslash": (named(b"a\\mean.npy"), "a\\mean", "has a backslash in its name"),
    "a folder": (named(b"folder/"), "folder/", "is a folder"),
    "a member in a folder": (named(b"arrays/mean.npy"), "arrays/mean", "lies in a folder of the archive"),
    "a member twice": (named(b"mean.npy"), "mean", "is there twice"),
    "a member twice but for case": (named(b"MEAN.npy"), "MEAN", "is there twice"),
    "a name with a null": (
        named(b"mean.npy\x00.txt"),
        "'mean.npy\\x00.txt'",
        "is not a member of predictions",
    ),
    "a name that paints the terminal": (
        named(b"\x1b[2Jmean"),
        "'\\x1b[2Jmean'",
        "is not a member of predictions",
    ),
    "a name that is no text": (named(b"\xff\xfe"), "'\\udcff\\udcfe'", "is not a member of predictions"),
    "a link as a member": (lie(mode=SYMLINK), "mean", "is a link, folder or device; got mode 0o120777"),
    "a device as a member": (lie(mode=DEVICE), "mean", "is a link, folder or device; got mode 0o20666"),
    "an encrypted member": (lie(flags=1), "mean", "is encrypted; got flags 0x0001"),
    "a strongly encrypted member": (lie(flags=1 << 6 | 1), "mean", "is encrypted; got flags 0x0041"),
    "a patch as a member": (lie(flags=1 << 5), "mean", "has unknown zip flags; got flags 0x0020"),
    "a bzip2 member": (lie(method=12), "mean", "is packed by a method that is not read; got bzip2"),
    "an lzma member": (lie(method=14), "mean", "is packed by a method that is not read; got lzma"),
    "an unknown method": (lie(method=77), "mean", "is packed by a method that is not read; got method 77"),
    "two members in one place": (overlapping, "file", "has members that overlap"),
    "another local name": (lie(local={"name": b"evil.npy"}), "file", "two headers contradict each other"),
    "another local method": (lie(local={"method": 8}), "file", "two headers contradict each other"),
    "another local size": (lie(local={"size": 5}), "file", "two headers contradict each other"),
    "another local checksum": (lie(local={"crc": 5}), "file", "two headers contradict each other"),
    "a wrong checksum": (lie(crc=0xBAD), "mean", "does not match its checksum"),
    "a wrong checksum, packed": (lie(deflate=True, crc=0xBAD), "mean", "does not match its checksum"),
    "a stored member with two sizes": (lie(size=999), "mean", "is stored, yet its two sizes differ"),
    "4 TiB declared": (
        lie(deflate=True, size=0xFFFFFFFF, extra=struct.pack("<2HQ", 1, 8, 1 << 42)),
        "mean",
        "got 4,398,046,511,104 bytes in the member",
    ),
    "a bomb that denies it": (bomb, "mean", "does not unpack to its declared size; got at least"),
    "a bomb that says so": (
        announced_bomb,
        "mean",
        "another number of rows than the query; got [65536, 1024]",
    ),
    "a stream that gives too little": (
        lie(deflate=True, data=lambda piece: deflated(zlib.decompress(piece.data, -15)[:-40])),
        "mean",
        "does not unpack to its declared size; got 376 bytes",
    ),
    "a stream that is noise": (
        lie(deflate=True, data=lambda piece: b"\xff" * len(piece.data)),
        "mean",
        "has a damaged compressed stream",
    ),
    "a stream without end": (
        lie(deflate=True, data=lambda piece: piece.data[:-3]),
        "mean",
        "the stream has no end",
    ),
    "bytes behind a stream": (
        lie(deflate=True, data=lambda piece: piece.data + b"more"),
        "mean",
        "bytes after the end of the stream",
    ),
    "65,535 members": (
        lambda _: archive([Piece(b"a", b"")] * 3, count=65535, here=65535),
        "file",
        "holds too many members; got 65535",
    ),
    "17 members": (lambda _: archive([Piece(b"a", b"")] * 17), "file", "holds too many members; got 17"),
    "a directory of 1 MB": (
        lambda good: archive([*pieces_of(good), *(Piece(b"x", b"", extra=bytes(60000)) for _ in range(4))]),
        "file",
        "holds too many members; got 7 in a directory of 24",
    ),
    "an archive in two parts": (whole(disk=1), "file", "one part of an archive in several parts"),
    "members on another disk": (whole(here=1), "file", "one part of an archive in several parts"),
    "one member too many counted": (
        whole(count=4, here=4),
        "file",
        "has a damaged zip directory",
    ),
    "one member too few counted": (
        whole(count=2, here=2),
        "file",
        "directory of another length than declared",
    ),
    "a directory elsewhere": (whole(start=7), "file", "directory that is not where its end record says"),
    "a comment on a member": (lie(comment=b"psst"), "file", "comment of 4 bytes"),
    "ZIP64 sizes that are not there": (lie(size=0xFFFFFFFF), "file", "lacks the ZIP64 sizes"),
    "a ZIP64 locator to nowhere": (
        whole(before_end=zip64_end(3, 3, 0, 0)),
        "file",
        "has a ZIP64 locator that points nowhere",
    ),
    "two end records": (
        lambda good: archive(
            pieces_of(good), before_end=zip64_end(len(archive(pieces_of(good))) - 22, 9, 0, 0)
        ),
        "file",
        "has two end records that contradict each other",
    ),
    "bytes between members": (
        lie(after=b"hidden"),
        "file",
        "has bytes that belong to no member; got 'var.npy'",
    ),
    "bytes before the directory": (whole(gap=b"hidden!"), "file", "belong to no member; got 7 bytes"),
    "a member that reaches too far": (
        lie(packed=9999, size=9999),
        "file",
        "has a member that reaches beyond the data",
    ),
    "no member where it should be": (
        lambda good: b"NO" + archive(pieces_of(good))[2:],
        "file",
        "has no member where its directory says",
    ),
    "trailing sizes that differ": (
        lie(flags=8, after=b"PK\7\10" + bytes(12)),
        "file",
        "trailing sizes contradict the directory",
    ),
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, judge: Any, good: Arrays) -> Any:
    folder = tmp_path_factory.mktemp("hostile-archives")
    files = {}
    for number, (name, (write, _, _)) in enumerate(BYTES.items()):
        files[name] = folder / f"{number}.npz"
        files[name].write_bytes(write(good))
    return judge(files)


@pytest.mark.parametrize("name", BYTES)
def test_a_hostile_archive_is_refused_by_what_it_does(verdicts: Any, name: str) -> None:
    _, member, words = BYTES[name]
    assert verdicts[name].said(member, words), verdicts[name].faults


def test_every_hostile_archive_is_refused_quickly_and_in_little_memory(verdicts: Any) -> None:
    assert len(verdicts) >= 40
    for name, verdict in verdicts.items():
        assert verdict.faults, name
        assert verdict.seconds < 1, name
        assert verdict.grown_mib < 200, name


def test_no_two_hostile_archives_are_told_the_same(verdicts: Any) -> None:
    sentences = [tuple(map(tuple, verdicts[name].faults)) for name in BYTES if not name.endswith(", packed")]
    assert len(set(sentences)) == len(sentences)


class OneWay(io.BytesIO):
    """A stream that cannot go back, as a pipe to another program is."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise OSError("not seekable")


def streamed(good: Arrays, *, method: int, zip64: bool) -> bytes:
    """What `zipfile` writes to a pipe: sizes and checksum stand behind the data."""
    out = OneWay()
    with zipfile.ZipFile(out, "w", method) as archived:
        for piece in pieces_of(good):
            with archived.open(piece.name.decode(), "w", force_zip64=zip64) as member:
                member.write(piece.data)
    return out.getvalue()


def with_long_end(good: Arrays) -> bytes:
    """An archive whose end record leaves everything to its ZIP64 twin."""
    pieces = pieces_of(good)
    plain = archive(pieces)
    size, start = struct.unpack_from("<2I", plain, len(plain) - 10)
    full = {"here": 0xFFFF, "count": 0xFFFF, "size": 0xFFFFFFFF, "start": 0xFFFFFFFF}
    return archive(pieces, before_end=zip64_end(start + size, len(pieces), size, start), **full)


def test_sound_archives_of_every_form_are_accepted(tmp_path: Path, judge: Any, good: Arrays) -> None:
    contents = {"stored": archive(pieces_of(good)), "deflated": archive(pieces_of(good, packed=True))}
    contents["ZIP64"] = with_long_end(good)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for zip64 in (False, True):
            contents[f"streamed {method} {zip64}"] = streamed(good, method=method, zip64=zip64)
    files = {name: tmp_path / f"{name}.npz" for name in contents}
    for name, content in contents.items():
        files[name].write_bytes(content)
    assert {name: verdict.faults for name, verdict in judge(files).items()} == {name: [] for name in files}


def test_a_flipped_byte_anywhere_in_an_archive_is_refused(tmp_path: Path, judge: Any, good: Arrays) -> None:
    content = archive(pieces_of(good, packed=True))
    files = {}
    for at in random.Random(7).sample(range(len(content)), 60):
        files[str(at)] = tmp_path / f"{at}.npz"
        files[str(at)].write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
    accepted = [int(at) for at, verdict in judge(files).items() if not verdict.faults]
    for at in accepted:
        assert not _is_read(content, at), f"byte {at} changes what is read"


def _is_read(content: bytes, at: int) -> bool:
    """Whether a byte of the archive says anything about the members (versions, times and attributes do not)."""
    idle_local, idle_entry = {4, 5, 10, 11, 12, 13}, {*range(4, 8), *range(12, 16), 36, 37, *range(38, 42)}
    with zipfile.ZipFile(io.BytesIO(content)) as archived:
        for info in archived.infolist():
            if at - info.header_offset in idle_local:
                return False
    start = content.find(b"PK\1\2")
    while start >= 0:
        if at - start in idle_entry:
            return False
        start = content.find(b"PK\1\2", start + 4)
    return True
