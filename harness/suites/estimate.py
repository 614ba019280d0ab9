"""How long runs will take, as far as earlier runs tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.contract.status import RunStatus
from harness.records.record import RunRecord
from harness.records.run_folder import list_runs
from harness.suites.cells import Cell


@dataclass(frozen=True)
class Estimate:
    """What is known of the cost."""

    runs: int
    jobs: int
    seconds: float
    """Of the runs whose like ran before, on so many jobs."""
    unknown: int
    """Runs whose submission never ran here."""
    limit_seconds: float
    """What those may take at most, by their own limits, on so many jobs."""

    @property
    def sentence(self) -> str:
        """The estimate in words."""
        told = f"{self.runs} runs, {self.jobs} at one time"
        if not self.runs:
            return "0 runs: everything stands already"
        if self.runs > self.unknown:
            told += f": about {_clock(self.seconds)}, by earlier runs"
        if self.unknown:
            told += (
                f"; {self.unknown} of them have no earlier run to tell, at most {_clock(self.limit_seconds)}"
            )
        return told


def estimate(cells: Sequence[Cell], runs: Path, jobs: int) -> Estimate:
    """By runs of the same submission on the same task, else on any task; by its time limit where there are none."""
    before = [run.record for run in list_runs(runs) if run.record.status is RunStatus.OK]
    seconds, limits, unknown = 0.0, 0.0, 0
    for cell in cells:
        found = _like(cell, before)
        if found:
            seconds += fmean(found)
        else:
            unknown += 1
            limits += cell.plan.manifest.resources.seconds
    jobs = max(1, min(jobs, len(cells)))
    return Estimate(len(cells), jobs, seconds / jobs, unknown, limits / jobs)


def _like(cell: Cell, before: Sequence[RunRecord]) -> list[float]:
    config = cell.plan.config
    same = [one for one in before if one.submission.name == config.submission.name]
    here = [one for one in same if one.split.hash == config.split_hash]
    variant = [one for one in here if one.submission.variant == config.submission.variant]
    chosen = variant or here or same
    held = [one for one in chosen if one.controls == cell.controls] or chosen
    return [sum(one.step_s.values()) for one in held]


def _clock(seconds: float) -> str:
    minutes = seconds / 60
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
