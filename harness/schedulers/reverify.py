"""A run's numbers computed again from its stored predictions: the same bits, or not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.digest import file_hash
from harness.records.run_folder import CALIBRATION_FILE, METRICS_FILE, TABLE_FILE
from harness.records.verify import Check
from harness.records.versions import version_of
from harness.schedulers.rescore import RunContext, engine_of_run
from harness.scoring.evaluate import score, write_evaluation
from harness.scoring.pictures import PICTURES_FILE

WHAT = "metrics, scored again"


def rescore_checks(
    context: RunContext, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> list[Check]:
    """Score a run again, with nothing that was kept from before, and compare every document bit by bit."""
    run = context.run
    if METRICS_FILE not in run.record.files:
        return [Check(WHAT, "not checked", f"status {run.record.status}: nothing was scored")]
    if not run.record.predictions_kept:
        return [Check(WHAT, "not checked", "only the hash of the predictions was kept")]
    evaluation = score(engine_of_run(context, keep=False), workers, progress)
    if version_of(evaluation.document) != run.record.metrics_version:
        mend = f"harness rescore {run.record.run} makes a new record with them"
        return [Check(WHAT, "changed", f"today's metrics are defined otherwise; {mend}")]
    with tempfile.TemporaryDirectory(prefix="harness-verify-") as scratch:
        write_evaluation(Path(scratch), evaluation, run.record.run)
        return [
            _compared(run.record.files[file], Path(scratch) / file)
            for file in (METRICS_FILE, CALIBRATION_FILE, TABLE_FILE, PICTURES_FILE)
            if file != PICTURES_FILE or file in run.record.files  # runs of an earlier day have none
        ]


def _compared(expected: str, made: Path) -> Check:
    found = file_hash(made)
    if found == expected:
        return Check(WHAT, "as sealed", f"{made.name}, bit for bit")
    return Check(WHAT, "changed", f"{made.name}: got {found}, expected {expected}")
