"""What the kernel counts for one container: its peak of memory and the kills for lack of it, on cgroup v1 and v2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MOUNTS = Path("/sys/fs/cgroup")
V1_PEAK, V1_OOM = "memory.max_usage_in_bytes", "memory.oom_control"
V2_PEAK, V2_OOM = "memory.peak", "memory.events"


@dataclass
class MemoryCount:
    """Read again and again while the container lives; afterwards its cgroup is gone and the last values stay."""

    peak_bytes: int = 0
    oom_kills: int = 0
    _folder: Path | None = field(default=None, repr=False)

    def follow(self, container: str, pid: int) -> None:
        """Find the container's cgroup by its first process; a dying process is shown in the root of all cgroups."""
        if self._folder is None and pid:
            folder = memory_cgroup(pid)
            if folder is not None and container in str(folder):
                self._folder = folder

    def look(self) -> None:
        """Take what is counted now."""
        if self._folder is None:
            return
        peak = _number(self._folder / V1_PEAK) or _number(self._folder / V2_PEAK) or 0
        self.peak_bytes = max(self.peak_bytes, peak)
        for name in (V1_OOM, V2_OOM):
            self.oom_kills = max(self.oom_kills, _count(self._folder / name, "oom_kill"))


def memory_cgroup(pid: int) -> Path | None:
    """The folder of a process's memory cgroup; None where it cannot be seen."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    unified = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return MOUNTS / "memory" / path.lstrip("/")
        if not controllers:
            unified = MOUNTS / path.lstrip("/")
    return unified


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _count(path: Path, name: str) -> int:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] == name)
