"""A predictions file or folder, opened without trusting it and listed: which members there are, and what is wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from harness.contract.faults import Fault, FaultError
from harness.contract.members import Member
from harness.contract.zip_listing import DEFLATED, MAX_MEMBERS, Entry, read_listing

_NOT_FILES = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass
class Container:
    """What a predictions file or folder holds, and what is wrong with it so far."""

    members: dict[str, Member] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a predictions file or folder and list it; arrays mapped from it stay valid after it is closed."""
    container = Container()
    with ExitStack() as stack:
        try:
            if not path.is_symlink() and path.is_dir():
                _list_folder(path, container, stack)
            else:
                _list_archive(stack.enter_context(_open_plain(path)), container)
        except FaultError as broken:
            container.faults.append(broken.fault)
        yield container


def _open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading; a link, pipe or device is refused without waiting for it."""
    try:
        _refuse_not_plain(os.lstat(path).st_mode)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(error) from None
    opened = os.fdopen(handle, "rb", buffering=0)
    try:
        _refuse_not_plain(os.fstat(handle).st_mode)
    except FaultError:
        opened.close()
        raise
    return opened


def _not_opened(error: OSError) -> FaultError:
    return FaultError(
        "cannot be opened",
        got=error.strerror,
        expected="a readable file",
        mend="check the path and its rights",
    )


def _refuse_not_plain(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FaultError(
            "is not a plain file",
            got=_NOT_FILES.get(stat.S_IFMT(mode), "something else"),
            expected="a file of its own",
            mend="write or copy the file itself",
        )


def _list_archive(handle: BinaryIO, container: Container) -> None:
    size = os.fstat(handle.fileno()).st_size
    if size == 0:
        raise FaultError(
            "is empty", got="0 bytes", expected="an .npz file", mend="write the predictions first"
        )
    seen: set[str] = set()
    for entry in read_listing(handle.fileno(), size):
        try:
            _refuse_name(entry, seen)
            entry.refuse_kind()
        except FaultError as broken:
            container.faults.append(broken.of(entry.name))
            continue
        container.members[entry.name] = Member(
            entry.name,
            handle,
            entry.data_offset,
            entry.packed,
            entry.size,
            entry.method == DEFLATED,
            entry.crc,
        )


def _refuse_name(entry: Entry, seen: set[str]) -> None:
    name = entry.name
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        what = "has an absolute path as its name"
    elif ".." in name.replace("\\", "/").split("/"):
        what = "has a name that climbs out of its folder"
    elif "\\" in name:
        what = "has a backslash in its name"
    elif name.endswith("/"):
        what = "is a folder"
    elif "/" in name:
        what = "lies in a folder of the archive"
    elif name.casefold() in seen:
        what = "is there twice"
    else:
        seen.add(name.casefold())
        return
    raise FaultError(
        what, got=repr(name)[:80], expected="a plain name such as mean.npy", mend="use numpy.savez"
    )


def _list_folder(path: Path, container: Container, stack: ExitStack) -> None:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in islice(entries, MAX_MEMBERS + 1))
    except OSError as error:
        raise _not_opened(error) from None
    if len(names) > MAX_MEMBERS:
        raise FaultError(
            "holds too many members",
            got=f"more than {MAX_MEMBERS} files",
            expected="a folder with the prediction arrays alone",
        )
    for name in names:
        try:
            handle = stack.enter_context(_open_plain(path / name))
        except FaultError as broken:
            container.faults.append(broken.of(name))
            continue
        size = os.fstat(handle.fileno()).st_size
        container.members[name] = Member(name, handle, 0, size, size)
