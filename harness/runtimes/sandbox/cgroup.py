"""Control groups: the kernel's own limits on memory, processor and number of processes, where groups can be made.

Version 1 has one tree per controller, version 2 one tree for all. A group is made below the harness's own, so that a limit
it is held to itself (a batch job's, say) holds for the run too; in version 2 a group with processes in it cannot have
limited groups below, and a sibling in a delegated tree is the next choice. What could not be made is said, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.runtimes.protocol import Guarantee, Limits

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
PREFIX = "harness-run-"
PERIOD = 100_000
"""Microseconds in which the processor time is counted."""
SETTLED_SECONDS = 60
SPARE_PIDS = 8
"""For the processes of the sandbox itself."""
OOM_FILES = ("memory.oom_control", "memory.events")
CONTROLLERS = {"memory": Guarantee.MEMORY, "cpu": Guarantee.CPU, "pids": Guarantee.PIDS}


@dataclass(frozen=True)
class Cgroup:
    """The groups of one run: one folder per controller (version 1) or one for all (version 2)."""

    version: int
    folders: tuple[Path, ...]
    granted: Mapping[Guarantee, str] = field(default_factory=dict)
    missing: Mapping[Guarantee, str] = field(default_factory=dict)

    def oom_kills(self) -> int:
        """How often the kernel ended a process of the run at its memory limit."""
        total = 0
        for path in (folder / file for folder in self.folders for file in OOM_FILES):
            with contextlib.suppress(OSError):
                lines = path.read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return total

    def remove(self) -> None:
        """End whatever is still in the groups and remove them."""
        for folder in self.folders:
            for _ in range(200):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    _kill_members(folder)
                    time.sleep(0.01)


def make_cgroup(limits: Limits, *, root: Path = ROOT, own: Path = OWN) -> Cgroup:
    """Groups with the limits of a run; whatever this machine refuses is in `missing`, and nothing is left of it."""
    name = f"{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    if (root / "cgroup.controllers").is_file():
        return _make_v2(limits, root, _own_path(own, ""), name)
    if any((root / controller).is_dir() for controller in CONTROLLERS):
        return _make_v1(limits, root, own, name)
    reason = "no control groups on this machine"
    return Cgroup(0, (), {}, dict.fromkeys(CONTROLLERS.values(), reason))


def settings_v1(controller: str, limits: Limits) -> list[tuple[str, str, bool]]:
    """(file, value, whether the limit rests on it) of a controller of version 1."""
    return {
        "memory": [
            ("memory.limit_in_bytes", str(limits.memory_bytes), True),
            ("memory.memsw.limit_in_bytes", str(limits.memory_bytes), False),
        ],
        "cpu": [
            ("cpu.cfs_period_us", str(PERIOD), False),
            ("cpu.cfs_quota_us", str(limits.cpus * PERIOD), True),
        ],
        "pids": [("pids.max", str(limits.pids + SPARE_PIDS), True)],
    }[controller]


def settings_v2(controller: str, limits: Limits) -> list[tuple[str, str, bool]]:
    """The same of version 2."""
    return {
        "memory": [
            ("memory.max", str(limits.memory_bytes), True),
            ("memory.swap.max", "0", False),
            ("memory.oom.group", "1", False),
        ],
        "cpu": [("cpu.max", f"{limits.cpus * PERIOD} {PERIOD}", True)],
        "pids": [("pids.max", str(limits.pids + SPARE_PIDS), True)],
    }[controller]


def _make_v1(limits: Limits, root: Path, own: Path, name: str) -> Cgroup:
    folders: list[Path] = []
    granted: dict[Guarantee, str] = {}
    missing: dict[Guarantee, str] = {}
    for controller, guarantee in CONTROLLERS.items():
        try:
            folder = _make_below(_existing(root / controller, _own_path(own, controller)), name)
        except OSError as error:
            missing[guarantee] = f"no cgroup v1 of {controller} can be made: {error.strerror}"
            continue
        folders.append(folder)
        fault = _set(folder, settings_v1(controller, limits))
        if fault is None:
            granted[guarantee] = "cgroup v1"
        else:
            missing[guarantee] = fault
    return Cgroup(1, tuple(folders), granted, missing)


def _make_v2(limits: Limits, root: Path, own: str, name: str) -> Cgroup:
    reason = "no cgroup v2 can be made"
    for parent in _candidates(root, own):
        try:
            folder = _make_below(parent, name)
            (parent / "cgroup.procs").open("w").close()  # moving a process needs this right too
        except OSError as error:
            reason = f"no cgroup v2 can be made below {parent}: {error.strerror}"
            continue
        granted: dict[Guarantee, str] = {}
        missing: dict[Guarantee, str] = {}
        for controller, guarantee in CONTROLLERS.items():
            _enable(parent, controller)
            fault = _set(folder, settings_v2(controller, limits))
            if fault is None:
                granted[guarantee] = "cgroup v2"
            else:
                missing[guarantee] = fault
        if granted:
            return Cgroup(2, (folder,), granted, missing)
        reason = f"no controller is delegated to {parent}"
        with contextlib.suppress(OSError):
            folder.rmdir()
    return Cgroup(2, (), {}, dict.fromkeys(CONTROLLERS.values(), reason))


def _candidates(root: Path, own: str) -> Iterator[Path]:
    here = _existing(root, own)
    yield here
    if here != root:
        yield here.parent


def _enable(parent: Path, controller: str) -> None:
    with contextlib.suppress(OSError):
        (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _set(folder: Path, settings: list[tuple[str, str, bool]]) -> str | None:
    """Write limits; the reason why the one that matters could not be set."""
    for file, value, needed in settings:
        try:
            if not (folder / file).exists():
                raise FileNotFoundError(2, "no such file")
            (folder / file).write_text(value)
        except OSError as error:
            if needed:
                return f"{file} cannot be set: {error.strerror}"
    return None


def _make_below(parent: Path, name: str) -> Path:
    _sweep(parent)
    folder = parent / name
    folder.mkdir()
    return folder


def _sweep(parent: Path) -> None:
    """Remove the empty groups of a harness that was killed together with its supervisors."""
    for group in parent.glob(f"{PREFIX}*"):
        pid = group.name.removeprefix(PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            # one of another process namespace may be about to move into a group that it has just made
            if not Path("/proc", pid).exists() and time.time() - group.stat().st_ctime > SETTLED_SECONDS:
                group.rmdir()


def _existing(root: Path, path: str) -> Path:
    """The group of this process, or the root where the path is of a tree that is not mounted here."""
    here = root / path.lstrip("/")
    return here if here.is_dir() else root


def _own_path(own: Path, controller: str) -> str:
    """The path of this process's group in the tree of a controller; version 2 names none."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return ""


def _kill_members(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
