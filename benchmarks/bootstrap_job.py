"""The bootstrap job: intervals of paired differences, 10,000 resamples of 200 conditions × 40 metrics."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.job import Row
from benchmarks.measure import measure

NAME = "bootstrap"
TITLE = "Paired intervals"
SIZES = ((25, 8, 40, 10_000), (50, 20, 40, 10_000))
"""Contexts, conditions of each, metrics, resamples."""
QUICK = ((20, 4, 5, 1000),)


def run(quick: bool) -> list[Row]:
    """Measure ours in a process of one thread; there is no peer that does the same."""
    return [_row(*size) for size in (QUICK if quick else SIZES)]


def _row(contexts: int, conditions: int, metrics: int, resamples: int) -> Row:
    script = Path(__file__).with_name("bootstrap_ours.py")
    ours = measure([sys.executable, script, *map(str, (contexts, conditions, metrics, resamples))])
    what = f"{resamples} resamples × {contexts * conditions} conditions in {contexts} contexts × {metrics} metrics"
    return Row.of(what, ours, note=f"the intervals alone {ours.report['seconds']:.2f} s")
