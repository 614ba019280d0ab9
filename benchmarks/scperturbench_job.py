"""The scPerturBench job: its panel over the 100 strongest genes, and over all 2000, beside the recorded reference."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.job import Row
from benchmarks.measure import measure
from benchmarks.scperturbench_inputs import N_CELLS, N_PERTURBATIONS, write_inputs

NAME = "scperturbench"
TITLE = "scPerturBench panel, 20 perturbations × 200 + 200 cells × 2000 genes, 400 controls"
PEER = "pertpy 0.7.0, ott-jax 0.4.6"
RECORDED = {"100": (16.0, 1200.0), "all": (21.0, 1400.0)}
"""Gene set → CPU seconds without imports (7 to 15 s of wall time more) and MB, on two shared cores with one thread."""
QUICK_CELLS = 50


def run(quick: bool) -> Sequence[Row]:
    """Both gene sets, each in a process of its own with one thread."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "inputs.npz"
        write_inputs(path, QUICK_CELLS if quick else N_CELLS)
        return [_row(path, genes, quick) for genes in RECORDED]


def _row(path: Path, genes: str, quick: bool) -> Row:
    cost = measure([sys.executable, "-m", "benchmarks.scperturbench_ours", path, genes])
    what = f"{N_PERTURBATIONS} × {QUICK_CELLS if quick else N_CELLS} cells, {genes} genes"
    row = Row.of(what, cost)
    if quick:
        return row
    cpu, peak = RECORDED[genes]
    return Row(
        what, row.ours_cpu_s, row.ours_wall_s, row.ours_peak_mb, PEER, cpu, None, peak, "recorded",
        f"imports {cost.import_cpu_s:.1f} s apart", row.details,
    )  # fmt: skip
