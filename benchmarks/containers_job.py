"""What a container costs: one trivial run in each engine that is here, against the bare child process.

python -m benchmarks --only containers
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.job import Row
from harness.contract.manifest import Submission
from harness.contract.status import RunStatus
from harness.runtimes.protocol import Job, Limits, Runtime
from harness.runtimes.registry import runtimes

NAME = "containers"
TITLE = "Overhead of one trivial run in a container, median"
PROMISED_S = {"docker": 1.2, "podman": 1.2, "apptainer": 0.6}
RUNS, QUICK_RUNS = 20, 5
CARD = {"schema": 1, "name": "trivial", "version": "1", "title": "trivial", "authors": [], "license": "MIT"}


def run(quick: bool) -> list[Row]:
    """A row per engine that works; the bare child is measured in turn with it, so that both meet the same load."""
    known = runtimes()
    return [
        _row(known[name], QUICK_RUNS if quick else RUNS) for name in PROMISED_S if known[name].offer().works
    ]


def _row(runtime: Runtime, n: int) -> Row:
    with tempfile.TemporaryDirectory() as room:
        job = _job(Path(room))
        _check(runtime, job)  # warm: image, caches, leftovers
        ours, bare = [], []
        for _ in range(n):
            bare.append(_timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)))
            ours.append(_timed(lambda: _check(runtime, job)))
    median, child = statistics.median(ours), statistics.median(bare)
    over = median - child
    promised = PROMISED_S[runtime.name]
    return Row(
        what=runtime.name,
        ours_cpu_s=0.0,
        ours_wall_s=median,
        ours_peak_mb=0.0,
        peer="bare child",
        peer_wall_s=child,
        source="side by side",
        note=f"overhead {over:.2f} s, promised {promised} s{'' if over <= promised else ': MISSED'}",
        details={"ours_s": ours, "bare_s": bare},
    )


def _check(runtime: Runtime, job: Job) -> None:
    outcome = runtime.run(job)
    assert outcome.status is RunStatus.OK, outcome.detail


def _timed(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _job(room: Path) -> Job:
    for name in ("submission", "task"):
        (room / name).mkdir()
    (room / "submission" / "main.py").write_text("pass\n")
    manifest = Submission.read({**CARD, "run": {"command": ["python3", "main.py"]}}, where="benchmark")
    limits = Limits(cpus=1, memory_bytes=1 << 30, seconds=60)
    return Job(
        manifest,
        room / "submission",
        room / "task",
        room / "work" / "output",
        room / "log.txt",
        {},
        0,
        limits,
    )
