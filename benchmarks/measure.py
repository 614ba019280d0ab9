"""What a command costs: CPU seconds, wall seconds and memory of a child process, with one thread unless told otherwise."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

POLL_S = 0.02
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


@dataclass(frozen=True)
class Cost:
    """What one run of a command took."""

    cpu_s: float
    """User and system seconds of the process and of all children it waited for."""
    wall_s: float
    peak_rss_mb: float
    """Largest resident set of the process itself, shared pages included."""
    peak_anon_mb: float
    """Largest anonymous memory of the process: what it holds itself, without files that are only mapped."""
    load: float
    """Load of the machine when it started: wall seconds mean little on a busy one."""
    report: dict[str, Any] = field(default_factory=dict)
    """What the command said of itself: the last line of its output, where that is a JSON object."""

    @property
    def import_cpu_s(self) -> float:
        """CPU seconds that the command says it spent on imports."""
        return float(self.report.get("import_cpu_s", 0.0))

    @property
    def own_cpu_s(self) -> float:
        """CPU seconds without imports."""
        return self.cpu_s - self.import_cpu_s

    def document(self) -> dict[str, Any]:
        """The cost as a JSON object."""
        return asdict(self) | {"own_cpu_s": self.own_cpu_s}


class CommandError(RuntimeError):
    """The measured command did not end well."""


def measure(
    command: Sequence[str | Path], *, threads: int = 1, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end and measure it."""
    variables = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **(environment or {})}
    load = os.getloadavg()[0]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err, env=variables)
        memory = _Memory(process.pid)
        memory.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.stop()
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            tail = err.read().decode(errors="replace")[-2000:]
            raise CommandError(f"{command[0]} ended with {process.returncode}:\n{tail}")
        report = _report(out.read().decode(errors="replace"))
    return Cost(_cpu(usage), wall, memory.rss_kb / 1024, memory.anon_kb / 1024, load, report)


def cpu_seconds() -> float:
    """CPU seconds of this process so far; at the top of a script, what the interpreter and imports took."""
    return _cpu(resource.getrusage(resource.RUSAGE_SELF))


class _Memory(threading.Thread):
    """Watches the memory of a process until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self.rss_kb = self.anon_kb = 0

    def run(self) -> None:
        while not self._ended.wait(POLL_S):
            try:
                lines = self._status.read_text().splitlines()
            except OSError:
                return
            sizes = {
                name: rest.split()[0]
                for name, _, rest in (line.partition(":") for line in lines)
                if rest.strip()
            }
            self.rss_kb = max(self.rss_kb, int(sizes.get("VmHWM", 0)))
            self.anon_kb = max(self.anon_kb, int(sizes.get("RssAnon", 0)))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _report(output: str) -> dict[str, Any]:
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime
