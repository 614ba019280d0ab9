"""The pool of processes on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict

import psutil
import pytest

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.schedulers.batch_markers import batch_lock
from harness.schedulers.batch_status import PartState, batch_status
from harness.schedulers.local import POOL_FILE, pool_environment, run_pool, stop_pool

from .batches import SLEEPY, assert_each_part_stands_in_one_run, make_batch, wait_until

POOL = """
import sys
from pathlib import Path
from harness.schedulers.batch import Batch
from harness.schedulers.local import run_pool
try:
    run_pool(Batch(Path(sys.argv[1])))
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_pool(batch) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", POOL, str(batch.path)])


def workers_of(batch) -> list[psutil.Process]:
    """The processes of the pool of a batch, wherever they hang."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "harness.schedulers.batch_worker" in words and str(batch.path) in words:
            found.append(process)
    return found


class Heard:
    """Writes down what a pool says."""

    def __init__(self):
        self.told = defaultdict(list)

    def started(self, number, label):
        self.told[number].append("started")

    def step(self, number, name):
        self.told[number].append(name)

    def within(self, number, message, done, of):
        pass

    def ended(self, number):
        self.told[number].append("ended")


def test_every_part_is_brought_to_its_end_and_told_of(request_for):
    batch = make_batch([request_for(seed=seed) for seed in range(2)], jobs=2)
    heard = Heard()
    run_pool(batch, heard)
    assert_each_part_stands_in_one_run(batch)
    assert all(told[0] == "started" and told[-1] == "ended" for told in heard.told.values())
    assert all({"build task", "run submission", "score"} <= set(told) for told in heard.told.values())
    run_pool(batch, heard)
    assert_each_part_stands_in_one_run(batch)


def test_a_run_that_fails_does_not_keep_the_others_from_theirs(request_for):
    code = "import os\nimport numpy as np\nfrom harness.sdk import Predictions\n" + (
        "def submission(task):\n"
        "    if os.environ['HARNESS_SEED'] == '1': raise SystemExit(9)\n"
        "    return Predictions(np.zeros(task.query.X.shape, np.float32))\n"
    )
    batch = make_batch([request_for(code, seed=seed) for seed in range(3)], jobs=2)
    run_pool(batch)
    assert [one.status for one in batch_status(batch).parts] == [
        RunStatus.OK,
        RunStatus.FAILED,
        RunStatus.OK,
    ]
    assert_each_part_stands_in_one_run(batch)


def test_a_worker_that_is_killed_costs_its_part_alone(request_for):
    requests = [request_for(SLEEPY, params={"seconds": 2.0}, seed=seed) for seed in range(2)]
    batch = make_batch(requests, jobs=1)
    victims = []

    def kill_first():
        wait_until(lambda: bool(workers_of(batch)))
        time.sleep(1)
        victim = workers_of(batch)[0]
        victims.append(victim.pid)
        victim.kill()

    killer = threading.Thread(target=kill_first)
    killer.start()
    run_pool(batch)
    killer.join()
    first, second = batch_status(batch).parts
    assert first.state is PartState.REFUSED
    assert "SIGKILL" in first.detail
    assert second.state is PartState.FINISHED
    run_pool(batch)
    assert_each_part_stands_in_one_run(batch)


@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_a_stopped_pool_leaves_no_process_and_a_state_to_go_on_from(request_for, how):
    requests = [request_for(SLEEPY, params={"seconds": 1.0}, seed=seed) for seed in range(2)]
    batch = make_batch(requests, jobs=2)
    pool = start_pool(batch)
    wait_until(lambda: any(one.state is PartState.RUNNING for one in batch_status(batch).parts))
    with pytest.raises(HarnessError, match="a pool works on this batch already"):
        run_pool(batch)
    if how == "cancel":  # which is a Ctrl-C from elsewhere
        assert stop_pool(batch) == 1
    else:
        pool.kill()
    assert pool.wait(60) == (-9 if how == "kill" else 130)
    wait_until(lambda: not workers_of(batch), 30)
    assert not batch_status(batch).moving
    run_pool(batch)
    assert_each_part_stands_in_one_run(batch)
    assert stop_pool(batch) == 0


def test_who_looks_at_a_batch_does_not_keep_a_pool_from_it(request_for):
    batch = make_batch([request_for()])
    over = threading.Event()

    def look():
        while not over.is_set():
            batch_status(batch)

    looking = [threading.Thread(target=look) for _ in range(3)]
    for one in looking:
        one.start()
    try:
        run_pool(batch)
    finally:
        over.set()
        for one in looking:
            one.join()
    assert_each_part_stands_in_one_run(batch)


def test_a_process_that_only_bears_the_number_of_an_old_pool_is_not_stopped(request_for):
    batch = make_batch([request_for()])
    run_pool(batch)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        told = json.loads((batch.path / POOL_FILE).read_text())
        (batch.path / POOL_FILE).write_text(
            json.dumps(told | {"pid": stranger.pid, "owner": told["owner"] + "9"})
        )
        with batch_lock(batch), pytest.raises(HarnessError, match="ask again"):
            stop_pool(batch)
        assert stranger.poll() is None
        stranger.kill()


def test_a_worker_takes_no_module_from_the_folder_that_it_is_started_in(request_for, tmp_path, monkeypatch):
    """A project with a `statistics.py`; or a submission's folder, whose files would run outside of any sandbox."""
    (tmp_path / "elsewhere").mkdir()
    for name in ("statistics", "json", "harness", "numpy"):
        (tmp_path / f"elsewhere/{name}.py").write_text("raise SystemExit('taken from the wrong place')")
    batch = make_batch([request_for()])
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_pool(batch)
    assert_each_part_stands_in_one_run(batch)


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setenv("HARNESS_CPUS", "8")
    environment = pool_environment(4)
    assert environment["OMP_NUM_THREADS"] == environment["HARNESS_CPUS"] == "2"
    assert pool_environment(16)["OPENBLAS_NUM_THREADS"] == "1"
