"""Watching a family of processes: time, memory, size of the output folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.contract.status import RunStatus
from harness.runtimes.protocol import Limits
from harness.runtimes.written import excess

OUTPUT_EVERY_SECONDS = 0.25
OUTPUT_SHARE = 20
"""Looking at a large output folder takes at most one part in so many of the time."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
OOM_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))


@dataclass(frozen=True)
class Breach:
    """A limit that was passed, or another reason to stop a run."""

    status: RunStatus
    detail: str
    polite: bool
    """Whether the run is asked to stop before it is killed."""


class Watch:
    """Looks at the descendants of one supervisor and at the output folder."""

    def __init__(
        self, supervisor: int, output: Path, limits: Limits, *, oom_kills: Callable[[], int] | None = None
    ) -> None:
        self.peak_rss_bytes = 0
        self.look_seconds = 0.0
        self._oom_kills_of_run = oom_kills
        self.memory_limit = limits.memory_bytes
        self._supervisor = supervisor
        self._output = output
        self._limits = limits
        self._started = time.monotonic()
        self._next_output_look = self._started + OUTPUT_EVERY_SECONDS
        self._oom_kills = count_oom_kills()

    def look(self) -> Breach | None:
        """The first limit that is passed now."""
        now = time.monotonic()
        if now - self._started > self._limits.seconds:
            return Breach(
                RunStatus.TIMEOUT, f"still running after its limit of {self._limits.seconds:g} s", polite=True
            )
        rss = tree_rss(self._supervisor)
        self.peak_rss_bytes = max(self.peak_rss_bytes, rss)
        self.look_seconds = time.monotonic() - now
        lacks = self._look_at_memory(rss)
        if lacks is not None:
            return Breach(RunStatus.OUT_OF_MEMORY, lacks, polite=False)
        if now >= self._next_output_look:
            return self._look_at_output()
        return None

    def _look_at_memory(self, rss: int) -> str | None:
        """The kernel's word where it counts for the run alone; else the sum, which counts shared memory once for each."""
        limit = _mib(self._limits.memory_bytes)
        if self._oom_kills_of_run is not None:
            kills = self._oom_kills_of_run()
            return f"the kernel ended a process of it at its memory limit of {limit}" if kills else None
        over = rss > self._limits.memory_bytes
        return f"its processes held {_mib(rss)}, the limit is {limit}" if over else None

    def last_look(self) -> Breach | None:
        """Whether a run that has ended left more than it may."""
        return self._look_at_output()

    def kernel_killed_for_memory(self) -> bool:
        """Whether the kernel's count of out-of-memory kills grew since the start."""
        return count_oom_kills() > self._oom_kills

    def _look_at_output(self) -> Breach | None:
        started = time.monotonic()
        too_much = excess(self._output, self._limits)
        ended = time.monotonic()
        self._next_output_look = ended + max(OUTPUT_EVERY_SECONDS, OUTPUT_SHARE * (ended - started))
        return None if too_much is None else Breach(RunStatus.FAILED, too_much, polite=False)


def tree_rss(root: int) -> int:
    """Resident memory of all descendants of a process together."""
    if not Path(f"/proc/{root}/task/{root}/children").exists():
        return _tree_rss_elsewhere(root)
    total, open_ends = 0, [root]
    while open_ends:
        pid = open_ends.pop()
        try:
            open_ends += _children(pid)
            if pid != root:
                total += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    return total


def _children(pid: int) -> list[int]:
    """The children of all threads of a process, as the kernel lists them: no search through every process there is."""
    threads = os.listdir(f"/proc/{pid}/task")
    listed = [Path(f"/proc/{pid}/task/{thread}/children").read_bytes() for thread in threads]
    return [int(child) for line in listed for child in line.split()]


def _tree_rss_elsewhere(root: int) -> int:
    """The same where the kernel keeps no such lists."""
    total = 0
    try:
        family = psutil.Process(root).children(recursive=True)
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def count_oom_kills() -> int:
    """How often the kernel killed for lack of memory, by its own counters; 0 where it keeps none."""
    total = 0
    for path in OOM_COUNTERS:
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return total


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:.0f} MiB"
