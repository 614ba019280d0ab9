"""Watching one container: its time, the size of its output, the kernel's count of its memory."""

from __future__ import annotations

import time
from pathlib import Path

from harness.contract.status import RunStatus
from harness.runtimes.containers.cgroup import MemoryCount
from harness.runtimes.protocol import Limits
from harness.runtimes.watch import Breach, count_oom_kills
from harness.runtimes.written import excess

OUTPUT_EVERY_SECONDS = 0.25


class ContainerWatch:
    """Looks at a container from outside; memory, CPU and processes are the engine's to limit."""

    def __init__(self, output: Path, limits: Limits) -> None:
        self.memory = MemoryCount()
        self.memory_limit = limits.memory_bytes
        self.engine_says_oom = False
        self._output = output
        self._limits = limits
        self._started = time.monotonic()
        self._next_look = self._started
        self._oom_kills = count_oom_kills()

    @property
    def peak_rss_bytes(self) -> int:
        return self.memory.peak_bytes

    def restart_clock(self) -> None:
        """The time of a run begins when its container does."""
        self._started = time.monotonic()

    def look(self) -> Breach | None:
        """The first limit that is passed now."""
        now = time.monotonic()
        self.memory.look()
        if now - self._started > self._limits.seconds:
            return Breach(
                RunStatus.TIMEOUT, f"still running after its limit of {self._limits.seconds:g} s", polite=True
            )
        starved = self.look_at_memory()
        if starved is not None or now < self._next_look:
            return starved
        self._next_look = now + OUTPUT_EVERY_SECONDS
        return self.look_at_output()

    def look_at_memory(self) -> Breach | None:
        """Whether the kernel ended one of its processes; the others would go on without it, or wait for it for ever."""
        if not self.engine_counted_kill():
            return None
        limit = self.memory_limit / 2**20
        return Breach(
            RunStatus.OUT_OF_MEMORY,
            f"the kernel ended it at its memory limit of {limit:.0f} MiB",
            polite=False,
        )

    def look_at_output(self) -> Breach | None:
        """Whether it wrote more than it may."""
        too_much = excess(self._output, self._limits)
        return None if too_much is None else Breach(RunStatus.FAILED, too_much, polite=False)

    def engine_counted_kill(self) -> bool:
        """Whether a process of this container was ended for lack of memory, and of no other."""
        return self.engine_says_oom or self.memory.oom_kills > 0

    def kernel_killed_for_memory(self) -> bool:
        """Whether the engine says so, or the kernel's counts grew; Podman's own flag stays false."""
        return self.engine_counted_kill() or count_oom_kills() > self._oom_kills
