"""What SLURM and the harness cost beside the runs themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.schedulers.slurm.launch import launch
from harness.schedulers.slurm.options import slurm_options
from harness.tasks.build import build_task

from .batches import assert_each_part_stands_in_one_run, make_batch, settled

RUNS = 50


@pytest.mark.slurm
@pytest.mark.long
def test_an_array_of_fifty_tiny_runs_takes_three_times_the_bare_programs_and_ten_seconds(
    request_for, tmp_path, capsys
):
    requests = [request_for(seed=seed) for seed in range(RUNS)]
    first = requests[0]
    task = build_task(first.dataset, first.split, "val", cache=first.task_cache)

    def bare(number: int) -> None:
        words = ["-m", "harness.sdk", "main:submission", "--task", str(task.public), "--output"]
        (tmp_path / f"bare-{number}").mkdir()
        subprocess.run(
            [sys.executable, *words, str(tmp_path / f"bare-{number}")],
            cwd=first.folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True,
        )  # fmt: skip

    started = time.monotonic()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(bare, range(RUNS)))
    payload = time.monotonic() - started
    options = slurm_options({"score_mem": "1G"}, {"pack": 13}).document()
    batch = make_batch(requests, on="slurm", slurm=options)
    started = time.monotonic()
    launch(batch)
    settled(batch, 1200)
    took = time.monotonic() - started
    with capsys.disabled():
        print(
            f"\n{RUNS} bare programs {payload:.1f} s, as an array {took:.1f} s, {(took - 10) / payload:.1f} × + 10 s"
        )
    assert_each_part_stands_in_one_run(batch)
    assert took <= 3 * payload + 10
