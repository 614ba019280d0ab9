"""What the jobs of a batch said, and what the submissions of its runs said."""

from __future__ import annotations

from pathlib import Path

from harness.records.run_folder import LOG_FILE
from harness.schedulers.batch import LOGS, Batch
from harness.schedulers.batch_markers import read_marker
from harness.schedulers.slurm.arrays import read_arrays
from harness.schedulers.slurm.script import log_name


def batch_logs(batch: Batch, part: int | None = None) -> list[Path]:
    """The log files of a batch, or those in which one part appears; empty ones are left out."""
    if part is None:
        found = sorted((batch.path / LOGS).iterdir())
    else:
        batch.part(part)
        found = [
            batch.path / LOGS / log_name(array, index)
            for array in read_arrays(batch)
            if array.step != "collect"
            for index, task in enumerate(array.tasks)
            if part in task
        ]
    for one in batch.plan.parts:
        marker = read_marker(batch, one.number, "finished") if part in (None, one.number) else None
        if marker is not None and marker.path is not None:
            found.append(Path(marker.path) / LOG_FILE)
    return [path for path in found if path.is_file() and path.stat().st_size]
