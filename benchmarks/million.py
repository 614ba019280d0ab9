"""The million-cell job: all panels through the scorer, from memory maps, at four sizes; then a second submission."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.job import Row
from benchmarks.measure import Cost, measure
from benchmarks.million_inputs import Size, make_screen, write_predictions
from harness.storage import write_json

NAME = "million"
TITLE = (
    "All panels on up to 1,000,000 test cells × 2,000 genes, 20 contexts × 100 perturbations, 16 rows each"
)
SIZES = tuple(Size(20, 100, cells, 2000) for cells in (63, 125, 250, 500))
QUICK_SIZES = tuple(Size(3, 8, cells, 300) for cells in (50, 100, 200))
BYTES_PER_VALUE = 5
"""Disk that a value of the screen takes, with the task and what is kept beside it."""


@dataclass(frozen=True)
class Line:
    """A straight line through costs by cells."""

    slope: float
    """CPU seconds per 1,000 cells."""
    intercept: float
    r2: float

    @classmethod
    def through(cls, cells: Sequence[int], seconds: Sequence[float]) -> Line:
        x, y = np.asarray(cells, float) / 1000, np.asarray(seconds, float)
        slope, intercept = np.polyfit(x, y, 1)
        residual = float(np.square(y - slope * x - intercept).sum())
        return cls(float(slope), float(intercept), 1 - residual / float(np.square(y - y.mean()).sum()))


def run(quick: bool) -> list[Row]:
    """One screen after the other, each removed before the next is made; the last rows are the fit and the second score."""
    rows: list[Row] = []
    cells: list[int] = []
    costs: dict[str, list[float]] = {"first": [], "second": []}
    for size in QUICK_SIZES if quick else SIZES:
        first, second = measure_size(size)
        cells.append(size.test_cells)
        for name, cost in (("first", first), ("second", second)):
            costs[name].append(cost.own_cpu_s)
        rows.append(_row(f"{size.test_cells} test cells, first submission", first))
        rows.append(_row(f"{size.test_cells} test cells, second submission", second, first))
    return rows + [_fit(name, cells, seconds) for name, seconds in costs.items()]


def measure_size(size: Size) -> tuple[Cost, Cost]:
    """What scoring a first and a second submission on one built task costs, in one process with one thread."""
    with tempfile.TemporaryDirectory(prefix="million-") as scratch:
        folder = Path(scratch)
        needed = size.test_cells * size.genes * BYTES_PER_VALUE
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise RuntimeError(
                f"{folder} has {free / 1e9:.0f} GB free; {needed / 1e9:.0f} GB are needed (TMPDIR)"
            )
        _, split, task = make_screen(folder, size)
        write_json(folder / "split.json", split.document())
        found = []
        for seed in (1, 2):
            predictions = folder / f"predictions{seed}"
            write_predictions(predictions, task, seed)
            found.append(measure([sys.executable, "-m", "benchmarks.million_ours", folder, predictions]))
        return found[0], found[1]


def _row(what: str, ours: Cost, first: Cost | None = None) -> Row:
    peer = "" if first is None else "our first submission"
    return Row.of(what, ours, peer, first, f"anonymous memory {ours.peak_anon_mb:.0f} MB")


def _fit(name: str, cells: Sequence[int], seconds: Sequence[float]) -> Row:
    line = Line.through(cells, seconds)
    note = f"{line.slope:.3g} s per 1,000 cells + {line.intercept:.3g} s, R² = {line.r2:.4f}"
    details = {"slope": line.slope, "intercept": line.intercept, "r2": line.r2}
    return Row(f"{name} submission: CPU over cells", sum(seconds), 0.0, 0.0, note=note, details=details)
