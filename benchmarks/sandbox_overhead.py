"""What the sandbox costs: a program that does nothing, as a bare child process and in the runtime `process`, warm."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from benchmarks.job import Row
from harness.contract.manifest import Submission
from harness.contract.status import RunStatus
from harness.runtimes.process import ProcessRuntime
from harness.runtimes.protocol import Job, Limits
from harness.runtimes.sandbox.layers import best_layer, limits_alone

NAME = "sandbox"
TITLE = "Warm overhead of one trivial run over the bare child process"
CARD = {"schema": 1, "name": "small", "version": "1", "title": "small", "authors": ["a"], "license": "MIT"}
PROMISED_SECONDS = 0.15


def run(quick: bool) -> list[Row]:
    """The median of 20 runs each, warm."""
    times = 5 if quick else 20
    layer = best_layer()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        ways: dict[str, Callable[[int], None]] = {
            "bare": lambda _: _bare(place),
            layer.name: lambda i: _confined(place, ProcessRuntime(), i),
            "limits": lambda i: _confined(place, ProcessRuntime(fixed=limits_alone(landlock=0)), i),
        }
        _prepare(place)
        measured = {name: _measure(way, times) for name, way in ways.items()}
    bare_wall, bare_cpu = measured.pop("bare")
    return [
        Row(
            f"run under {name}",
            cpu,
            wall,
            0.0,
            "the bare child",
            bare_cpu,
            bare_wall,
            0.0,
            "side by side",
            f"{wall - bare_wall:+.3f} s of wall time over the bare child; promised ≤ {PROMISED_SECONDS} s",
            {"overhead_s": wall - bare_wall, "runs": times},
        )
        for name, (wall, cpu) in measured.items()
    ]


def _prepare(place: Path) -> None:
    for name in ("submission", "task"):
        (place / name).mkdir()
    (place / "submission/main.py").write_text("")


def _measure(way: Callable[[int], None], times: int) -> tuple[float, float]:
    """Median wall time and mean CPU time, after one run to warm up."""
    way(-1)
    walls = []
    before = _cpu_seconds()
    for i in range(times):
        started = time.perf_counter()
        way(i)
        walls.append(time.perf_counter() - started)
    return statistics.median(walls), (_cpu_seconds() - before) / times


def _bare(place: Path) -> None:
    subprocess.run([sys.executable, str(place / "submission/main.py")], check=True)


def _confined(place: Path, runtime: ProcessRuntime, number: int) -> None:
    manifest = Submission.read({**CARD, "run": {"command": [sys.executable, "main.py"]}}, where=NAME)
    with tempfile.TemporaryDirectory(dir=place) as work:
        job = Job(
            manifest,
            place / "submission",
            place / "task",
            Path(work, "output"),
            Path(work, "log"),
            {},
            number,
            Limits(seconds=60),
        )
        outcome = runtime.run(job)
    if outcome.status is not RunStatus.OK:
        raise RuntimeError(outcome.detail)


def _cpu_seconds() -> float:
    return sum(used.ru_utime + used.ru_stime for used in (getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)))
