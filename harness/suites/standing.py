"""What of a sweep or a suite is done: a run that stands under its configuration's hash is never repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.contract.status import RunStatus
from harness.records.run_folder import RunFolder
from harness.schedulers.batch import list_batches
from harness.schedulers.batch_markers import marked
from harness.schedulers.batch_part import runs_of
from harness.schedulers.batch_status import PartState, batch_status
from harness.suites.cells import Cell

TRIED_AGAIN = (RunStatus.INTERRUPTED, RunStatus.ENVIRONMENT)
"""Endings that say nothing of the model."""
FAILED = (RunStatus.FAILED, RunStatus.TIMEOUT, RunStatus.OUT_OF_MEMORY)
"""Endings that stand, and that may be tried again where the machine was at fault."""


@dataclass(frozen=True)
class Standing:
    """Every cell with its run, if it stands."""

    cells: tuple[Cell, ...]
    runs: dict[str, RunFolder]
    """Configuration hash → its run."""
    moving: frozenset[str]
    """Configurations that a batch works on, or waits to."""
    known: bool = True
    """Whether it was asked what moves."""

    def run(self, cell: Cell) -> RunFolder | None:
        """The run of a cell."""
        return self.runs.get(cell.config_hash)

    @property
    def left(self) -> tuple[Cell, ...]:
        """What nobody has done, each configuration once."""
        found = {
            cell.config_hash: cell
            for cell in reversed(self.cells)
            if cell.config_hash not in self.runs and cell.config_hash not in self.moving
        }
        return tuple(reversed(found.values()))

    @property
    def finished(self) -> bool:
        return all(cell.config_hash in self.runs for cell in self.cells)

    def counts(self) -> dict[str, int]:
        """How many cells there are by status, `moving` and `left`."""
        words = [self.word(cell) for cell in self.cells]
        return {word: words.count(word) for word in dict.fromkeys(words)}

    def word(self, cell: Cell) -> str:
        """Where one cell is."""
        run = self.run(cell)
        if run is not None:
            return str(run.record.status)
        return "moving" if cell.config_hash in self.moving else "left"


def standing(cells: Sequence[Cell], runs: Path, *, ask: bool = True, retry: bool = False) -> Standing:
    """Look at the run folders, and, unless `ask` is False, at what schedulers still work on.

    With `retry` what failed, ran out of time or memory is left to be done again.
    """
    found = {}
    for cell in cells:
        run = _finished(cell, runs)
        if run is not None and not (retry and run.record.status in FAILED):
            found[cell.config_hash] = run
    missing = {cell.config_hash for cell in cells} - set(found)
    return Standing(tuple(cells), found, frozenset(_moving(runs) & missing if ask and missing else ()))


def _finished(cell: Cell, runs: Path) -> RunFolder | None:
    """The first run of a configuration that says something of it: who repeats one until it does well gains nothing.

    One that failed gives way to one that did not.
    """
    failed = None
    for run in runs_of(runs, cell.config_hash):
        record = run.record
        if record.status in TRIED_AGAIN or record.rescored_from is not None:
            continue
        if cell.controls and record.status is RunStatus.OK and not record.controls:
            continue  # a quick look, of which nothing could be claimed
        if record.status not in FAILED:
            return run
        failed = failed or run
    return failed


def _moving(runs: Path) -> set[str]:
    """Configurations of batches that are on their way."""
    found = set()
    for batch in list_batches(runs):
        if len(marked(batch)["finished"]) == len(batch.plan.parts):
            continue
        found |= {
            one.part.config_hash or ""
            for one in batch_status(batch).parts
            if one.state in (PartState.RUNNING, PartState.PENDING)
        }
    return found
