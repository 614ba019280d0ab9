"""bubblewrap: a root of its own with a few read-only places, no network, its own processes, and nobody's rights.

Started by root it makes the namespaces with root's rights, and the first program inside changes to a user that owns nothing;
started by anybody else it makes a user namespace in which no further one can be made.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.runtimes.compiled import compiled
from harness.runtimes.sandbox.view import (
    FIRST_PROGRAM,
    HOME,
    IDENTITY,
    OUTPUT,
    SUBMISSION,
    TEMPORARY,
    View,
)

NOBODY = 65534
ALWAYS = (
    "--die-with-parent", "--new-session", "--hostname", "submission",
    "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
)  # fmt: skip
"""Of every run: no network, no sight of other processes, shared memory or host name, and an end with the harness."""
WITHOUT_ROOT = ("--unshare-user", "--cap-drop", "ALL")
CLOSED = "--disable-userns"
"""Known since bubblewrap 0.8: no user namespace can be made inside."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 (a private one)


@dataclass(frozen=True)
class Bubblewrap:
    """bubblewrap as it works here."""

    program: str
    version: str
    root: bool
    """Whether the namespaces are made with root's rights."""
    uid: int | None
    """The user that the submission becomes; None where it stays who it is."""

    def argv(
        self, view: View, output: Path, scratch: Path, tmp_bytes: int, command: Sequence[str]
    ) -> list[str]:
        """The command line that runs a command in a view, with one writable folder; `scratch` keeps small files for it."""
        room = _Room()
        room.words += ["--proc", "/proc", "--dev", "/dev"]
        for device in view.devices:
            room.words += ["--dev-bind", device, device]
        for place in (TEMPORARY, SHARED_MEMORY):
            room.words += ["--perms", "1777", "--size", str(tmp_bytes), "--tmpfs", place]
        room.words += ["--perms", "1777", "--dir", HOME]
        for bind in view.read_only:
            room.bind("--ro-bind", str(bind.source), bind.inside)
            room.cover([place for place in view.covered if _within(place, bind.inside)])
        for target, inside in view.links:
            room.words += ["--symlink", target, inside]
        for name, path in identity(scratch, self.uid).items():
            room.bind("--ro-bind", str(path), f"/etc/{name}")
        room.bind("--ro-bind", str(compiled(Path(__file__).with_name("first.py"))), FIRST_PROGRAM)
        room.bind("--bind", str(output), OUTPUT)
        for place in ("/dev", *room.covered, "/"):
            room.words += ["--remount-ro", place]
        return [self.program, *self._flags(), *room.words, "--chdir", SUBMISSION, "--", *command]

    def _flags(self) -> tuple[str, ...]:
        if self.root:
            return ALWAYS
        closed = (CLOSED,) if _number(self.version) >= (0, 8) else ()
        return (*ALWAYS, *WITHOUT_ROOT, *closed)


class _Room:
    """The words of a command line, in which each folder is made before something is put in it.

    bubblewrap makes missing folders for its own user alone (0700); a submission that has become another user could not
    pass through them.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.covered: list[str] = []
        self._made: set[str] = set()
        self._bound: list[str] = []

    def bind(self, flag: str, source: str, inside: str) -> None:
        inside_one = any(_within(inside, place) for place in self._bound)
        if inside_one and not any(_within(inside, place) for place in self.covered):
            if flag == "--ro-bind" and source == inside:
                return  # visible already, as part of a larger place
        else:
            self._make_parents(inside)
        self.words += [flag, source, inside]
        self._bound.append(inside)

    def cover(self, places: Sequence[str]) -> None:
        for place in places:
            if place not in self.covered:
                self.words += ["--perms", "0755", "--tmpfs", place]
                self.covered.append(place)

    def _make_parents(self, inside: str) -> None:
        for parent in reversed(PurePosixPath(inside).parents[:-1]):
            folder = str(parent)
            real = any(_within(folder, place) for place in self._bound)
            if folder not in self._made and (not real or any(_within(folder, c) for c in self.covered)):
                self.words += ["--perms", "0755", "--dir", folder]
            self._made.add(folder)


def identity(scratch: Path, uid: int | None) -> dict[str, Path]:
    """The few files under `/etc` that say who the submission is, written for it."""
    folder = scratch / "etc"
    folder.mkdir()
    found = {}
    for name, text in IDENTITY.items():
        found[name] = folder / name
        found[name].write_text(text.format(uid=os.getuid() if uid is None else uid))
        found[name].chmod(0o644)
    return found


def _within(place: str, folder: str) -> bool:
    """Whether an absolute path lies in a folder, or is it."""
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
