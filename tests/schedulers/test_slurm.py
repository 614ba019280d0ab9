"""Batches on a real SLURM."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.records.run_folder import list_runs
from harness.schedulers.batch_markers import marked
from harness.schedulers.batch_plan import plan_score, write_batch
from harness.schedulers.batch_status import PartState, batch_status
from harness.schedulers.slurm.arrays import read_arrays
from harness.schedulers.slurm.client import largest_array, scancel, waiting_and_running
from harness.schedulers.slurm.launch import cancel, launch
from harness.schedulers.slurm.options import slurm_options
from harness.schedulers.submit import plan_run, submit

from .batches import SLEEPY, assert_each_part_stands_in_one_run, make_batch, settled, wait_until
from .cluster import start_cluster, why_not

pytestmark = pytest.mark.slurm
LAUNCH = """
import sys
from pathlib import Path
from harness.schedulers.batch import Batch
from harness.schedulers.slurm.launch import launch
launch(Batch(Path(sys.argv[1])))
"""


@pytest.fixture
def sleepy(request_for, tmp_path):
    """A batch on SLURM of runs that take a while."""
    made = []

    def make(runs: int, seconds: float = 3.0, **options):
        requests = [request_for(SLEEPY, params={"seconds": seconds}, seed=seed) for seed in range(runs)]
        given = slurm_options({"score_mem": "2G"}, options).document()
        batch = make_batch(
            requests, on="slurm", slurm=given, name=f"t-{os.getpid()}-{random.getrandbits(40)}"
        )
        made.append(batch)
        return batch

    yield make
    for batch in made:
        cancel(batch)


@pytest.fixture
def own_cluster(tmp_path, monkeypatch):
    """A cluster whose daemons may be killed."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    cluster = start_cluster(tmp_path / "cluster")
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    yield cluster
    cluster.stop()


def running(batch):
    return [
        one for one in waiting_and_running([a.name for a in read_arrays(batch)]) if one.state == "RUNNING"
    ]


def test_an_array_of_runs_ends_scored_on_a_typed_gpu(sleepy):
    batch = sleepy(2, 0.1, partition="gpu", gres="gpu:l40s:1", array_limit=1)
    arrays = launch(batch)
    assert [array.step for array in arrays] == ["run", "score", "collect"]
    assert all(array.job for array in arrays)
    assert launch(batch) == []
    status = settled(batch)
    assert [one.status for one in status.parts] == [RunStatus.OK] * 2, status.document()
    assert_each_part_stands_in_one_run(batch)
    assert (batch.path / "collected.json").is_file()
    assert launch(batch) == []


def test_a_cancelled_task_is_unfinished_and_resume_runs_it_and_nothing_else(sleepy):
    batch = sleepy(2, 2.0)
    launch(batch)
    wait_until(lambda: len(running(batch)) > 0)
    victim = running(batch)[0]
    scancel([f"{victim.job}_{victim.index}"])
    status = settled(batch)
    states = {one.part.number: one.state for one in status.parts}
    assert states.pop(victim.index + 1) is PartState.UNFINISHED
    assert set(states.values()) == {PartState.FINISHED}
    again = launch(batch)
    assert [array.tasks for array in again if array.step == "run"] == [[[victim.index + 1]]]
    settled(batch)
    assert_each_part_stands_in_one_run(batch)


def test_a_requeued_task_goes_on(sleepy):
    batch = sleepy(1, 2.0)
    launch(batch)
    wait_until(lambda: bool(running(batch)))
    element = running(batch)[0]
    time.sleep(1)
    subprocess.run(["scontrol", "requeue", f"{element.job}_{element.index}"], check=True)
    settled(batch)
    assert_each_part_stands_in_one_run(batch)


def test_the_controller_may_be_killed_in_mid_flight(own_cluster, sleepy):
    batch = sleepy(3, 2.0)
    launch(batch)
    wait_until(lambda: bool(running(batch)))
    own_cluster.kill("slurmctld")
    with pytest.raises(HarnessError, match="squeue refused") as refusal:
        batch_status(batch)
    assert "scontrol ping" in str(refusal.value.mend)
    with pytest.raises(HarnessError):
        launch(batch)
    wait_until(lambda: bool(marked(batch)["ran"] | marked(batch)["finished"]))
    own_cluster.start_controller()
    for _ in range(3):
        time.sleep(1)
        own_cluster.take_back_node()
        if settled(batch).finished:
            break
        launch(batch)
    assert_each_part_stands_in_one_run(batch)


def test_a_shell_that_dies_while_it_hands_in_leaves_a_batch_to_resume(sleepy):
    for delay in (0.9, 1.2):
        batch = sleepy(2, 0.1)
        shell = subprocess.Popen([sys.executable, "-c", LAUNCH, str(batch.path)])
        time.sleep(delay)
        shell.send_signal(signal.SIGKILL)
        shell.wait()
        launch(batch)
        if not settled(batch).finished:
            launch(batch)
            settled(batch)
        assert_each_part_stands_in_one_run(batch)


def test_a_cancelled_batch_leaves_the_queue(sleepy):
    batch = sleepy(2, 60.0)
    launch(batch)
    wait_until(lambda: bool(running(batch)))
    assert cancel(batch) >= 2
    status = settled(batch)
    assert all(one.state is PartState.UNFINISHED for one in status.parts)
    assert list_runs(batch.runs) == []


def test_a_task_may_do_several_runs_and_arrays_keep_to_the_clusters_size(sleepy):
    assert largest_array() >= 1000
    batch = sleepy(3, 0.1, pack=2)
    arrays = launch(batch)
    assert arrays[0].tasks == [[1, 2], [3]]
    settled(batch)
    assert_each_part_stands_in_one_run(batch)


def test_what_the_cluster_refuses_is_said_in_its_words(sleepy):
    with pytest.raises(HarnessError, match="sbatch refused") as refusal:
        launch(sleepy(1, partition="nosuch"))
    assert "--partition" in str(refusal.value.mend)
    with pytest.raises(HarnessError, match="sbatch refused"):
        launch(sleepy(1, partition="gpu", gres="gpu:a100:1"))


def test_a_score_in_shards_on_slurm_has_the_same_bits(request_for, tmp_path):
    from harness.schedulers.rescore import engine_of_run, find_context
    from harness.scoring.evaluate import score, write_evaluation

    request = request_for()
    run = submit(plan_run(request))
    context = find_context(run, request.dataset, request.split, (), request.task_cache)
    engine = engine_of_run(context)
    here = tmp_path / "here" / "scores"
    here.mkdir(parents=True)
    write_evaluation(here, score(engine, 1), "scores")
    there = tmp_path / "there" / "scores"
    options = slurm_options({"score_mem": "2G"}, {}).document()
    plan = plan_score(engine, 3, runs=request.runs, root=tmp_path, out=there, slurm=options)
    batch = write_batch(plan)
    launch(batch)
    assert settled(batch).finished
    for path in here.iterdir():
        assert (there / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_after_random_kills_every_run_stands_once(own_cluster, sleepy, kills):
    batch = sleepy(max(4, kills // 4), 1.0)
    rng = random.Random(kills)
    launch(batch)
    for _ in range(kills):
        time.sleep(rng.uniform(0.5, 6.0))
        if rng.random() < 0.25:
            own_cluster.kill("slurmctld")
            time.sleep(rng.uniform(0, 1))
            own_cluster.start_controller()
        elif on := running(batch):
            victim = rng.choice(on)
            word = "scancel" if rng.random() < 0.5 else "requeue"
            target = victim.job if victim.index is None else f"{victim.job}_{victim.index}"
            words = (
                ["scancel", "--signal=KILL", "--full", target]
                if word == "scancel"
                else ["scontrol", word, target]
            )
            subprocess.run(words, check=False)
        own_cluster.take_back_node()
        if rng.random() < 0.4 or not batch_status(batch).moving:
            launch(batch)
    for _ in range(6):
        own_cluster.take_back_node()
        if settled(batch, 600).finished:
            break
        launch(batch)
    assert_each_part_stands_in_one_run(batch)
