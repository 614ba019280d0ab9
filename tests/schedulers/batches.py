"""Batches of small runs, for the tests of what schedules them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.records.run_folder import list_runs
from harness.schedulers.batch import Batch
from harness.schedulers.batch_plan import plan_batch, write_batch
from harness.schedulers.batch_status import BatchStatus, batch_status
from harness.schedulers.submit import SubmitRequest, plan_run

SLEEPY = """
import time
import numpy as np
from harness.sdk import Predictions
def submission(task):
    time.sleep(task.params["seconds"])
    return Predictions(np.zeros(task.query.X.shape, np.float32))
"""


def make_batch(requests: Sequence[SubmitRequest], on: str = "local", **more: Any) -> Batch:
    """A batch on disk of these requests."""
    plans = [plan_run(request) for request in requests]
    return write_batch(plan_batch(plans, on=on, root=Path.cwd(), **more), plans)


def assert_each_part_stands_in_one_run(batch: Batch) -> None:
    """Every configuration of the batch has one run folder, whole, and the marker names it."""
    status = batch_status(batch, ask=False)
    assert status.finished, [one for one in status.parts if one.path is None]
    before = {name for part in batch.plan.parts for name in part.before}
    runs = [run for run in list_runs(batch.runs) if run.path.name not in before]
    times = Counter(run.record.config_hash for run in runs)
    assert times == Counter(part.config_hash for part in batch.plan.parts)
    assert {one.path for one in status.parts} == {str(run.path.absolute()) for run in runs}


def wait_until(done: Callable[[], bool], seconds: float = 120) -> None:
    """Look again and again, patiently."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.1)


def settled(batch: Batch, seconds: float = 180) -> BatchStatus:
    """The state of a batch as soon as nothing moves any more."""
    end = time.monotonic() + seconds
    while True:
        status = batch_status(batch)
        if not status.moving:
            return status
        assert time.monotonic() < end, status.counts
        time.sleep(0.2)
