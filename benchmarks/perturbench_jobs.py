"""The PerturBench jobs: our panel, beside the recorded costs of PerturBench's release v2026 on the same inputs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.job import Row
from benchmarks.measure import measure
from benchmarks.perturbench_inputs import SIZES, write_inputs

NAME = "perturbench"
TITLE = "PerturBench panel"
PEER = "PerturBench v2026"
FOUR = "rmse, cosine, ranks of both"
RECORDED = {("B", "four"): (47.0, 2800.0), ("A", "four"): (1.5, 1000.0), ("A", "full"): (49.0, 1000.0)}
"""(job, what) → CPU seconds without imports and peak MB of the reference, one thread, measured once on these inputs."""
JOBS = (("B", "four"), ("A", "four"), ("A", "full"))


def run(quick: bool) -> list[Row]:
    """Measure ours in a process of one thread; the reference's figures are recorded, and said to be."""
    jobs = (("quick", "four"), ("quick", "full")) if quick else JOBS
    return [_row(job, what) for job, what in jobs]


def _row(job: str, what: str) -> Row:
    perturbations, cells = SIZES[job]
    with tempfile.TemporaryDirectory() as scratch:
        write_inputs(Path(scratch), job)
        script = Path(__file__).with_name("perturbench_ours.py")
        ours = measure([sys.executable, script, scratch, str(perturbations), what])
    title = (
        f"{perturbations} × {cells} cells × 2000 genes: {FOUR if what == 'four' else 'all, MMD ranks too'}"
    )
    details = {"ours": ours.document()}
    if (job, what) not in RECORDED:
        return Row(title, ours.own_cpu_s, ours.wall_s, ours.peak_rss_mb, details=details)
    cpu, peak = RECORDED[job, what]
    return Row(
        title, ours.own_cpu_s, ours.wall_s, ours.peak_rss_mb,
        PEER, cpu, None, peak, "recorded", details=details,
    )  # fmt: skip
