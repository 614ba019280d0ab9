"""The training job: steps per second against a plain loop over tensors in memory, and memory by the number of cells."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.job import Row
from benchmarks.measure import Cost, measure
from benchmarks.training_inputs import write_artifact, write_task

NAME = "training"
TITLE = "Training from memory maps"
GENES = 2000
HELD_GENES = 100
"""Of the tables whose memory is compared: rows are what counts there."""
WHAT = {
    "pretrain": "pretraining, 256 cells a step",
    "ladder": "v3, 64 conditions a step, controls drawn anew",
}


def run(quick: bool) -> list[Row]:
    """Pace on a table that fits into memory, so that the plain loop can hold it; then memory at two sizes."""
    cells, steps, sizes = (4_000, 60, (5_000, 20_000)) if quick else (20_000, 160, (100_000, 1_000_000))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:
        folder = Path(scratch)
        write_artifact(folder / "pretrain", cells, GENES)
        write_task(folder / "ladder", cells, GENES)
        rows = [_pace(kind, folder / kind, steps) for kind in WHAT]
        for kind in WHAT:
            small, large = (_held(kind, folder / f"{kind}-{n}", n) for n in sizes)
            rows.append(_memory(kind, sizes, small, large))
    return rows


def _ours(what: str, folder: Path, steps: int) -> Cost:
    return measure([sys.executable, Path(__file__).with_name("training_ours.py"), what, folder, str(steps)])


def _pace(kind: str, folder: Path, steps: int) -> Row:
    cost = _ours(f"pace-{kind}", folder, steps)
    told = cost.report
    return Row(
        f"a step: {WHAT[kind]}, {GENES} genes",
        told["ours_cpu_s"],
        told["ours_wall_s"],
        cost.peak_rss_mb,
        "plain loop over tensors in memory",
        told["plain_cpu_s"],
        told["plain_wall_s"],
        None,
        "side by side",
        f"{told['plain_cpu_s'] / told['ours_cpu_s']:.2f}× its steps per second",
        {"ours": cost.document()},
    )


def _held(kind: str, folder: Path, cells: int) -> Cost:
    write = write_artifact if kind == "pretrain" else write_task
    write(folder, cells, HELD_GENES)
    cost = _ours(f"hold-{kind}", folder, 20)
    (folder / "X.npy" if kind == "pretrain" else folder / "train" / "X.npy").unlink()
    return cost


def _memory(kind: str, sizes: tuple[int, int], small: Cost, large: Cost) -> Row:
    grown = large.peak_anon_mb - small.peak_anon_mb
    per_cell = grown * 2**20 / (sizes[1] - sizes[0])
    note = f"anonymous memory {small.peak_anon_mb:.0f} → {large.peak_anon_mb:.0f} MB: {per_cell:.0f} bytes a cell"
    return Row.of(
        f"{sizes[1]:,} cells against {sizes[0]:,}: {WHAT[kind]}, {HELD_GENES} genes", large, note=note
    )
