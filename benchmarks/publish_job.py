"""The publish job: a board of 1,000 records, first whole and then again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.job import Row
from benchmarks.measure import measure
from benchmarks.sealed_runs import Told, sealed_run

NAME = "publish"
TITLE = "Publishing a board"
TASKS, SUBMISSIONS = 5, 200
QUICK = 2, 10
CONDITIONS, OTHER_METRICS = 60, 150
PAGE_BYTES = 250_000


def run(quick: bool) -> list[Row]:
    """Measure ours, records and pages as large as real ones; there is no peer."""
    n_tasks, n_submissions = QUICK if quick else (TASKS, SUBMISSIONS)
    with tempfile.TemporaryDirectory(prefix="harness-board-") as folder:
        runs = Path(folder) / "runs"
        _write(runs, n_tasks, n_submissions)
        script = Path(__file__).with_name("publish_ours.py")
        ours = measure([sys.executable, script, runs, Path(folder) / "site"])
    told = ours.report
    note = f"first {told['first']:.1f} s, again {told['again']:.1f} s; first page {told['index_kb']:.0f} kB"
    what = f"{n_tasks * n_submissions} records: {n_submissions} submissions on {n_tasks} tasks"
    return [Row.of(what, ours, note=note)]


def _write(runs: Path, n_tasks: int, n_submissions: int) -> None:
    rng = np.random.default_rng(0)
    page = f'<html lang="en"><title>scorecard</title><body><p>{"x" * PAGE_BYTES}</p></body></html>'
    for task in range(n_tasks):
        hard = rng.uniform(0.05, 0.3, CONDITIONS)
        for number in range(n_submissions):
            error = hard * rng.uniform(0.5, 1.5) + rng.normal(0, 0.01, CONDITIONS)
            told = Told(
                submission=f"model-{number:03d}",
                error=tuple(error.tolist()),
                task=f"demo{task}:context_ood",
                split_hash=f"{task + 1:064d}",
                page=page,
                other_metrics=OTHER_METRICS,
                second=task * n_submissions + number,
                metrics={"filler": ["x" * 1000] * 1000},
            )
            sealed_run(runs, told)
