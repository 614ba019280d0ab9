"""A batch as a folder: what it keeps, and that each part of it is done once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from harness.contract.status import RunStatus
from harness.errors import ChangedError, HarnessError, UnknownNameError
from harness.records.run_folder import list_runs
from harness.schedulers.batch import Batch, find_batch, list_batches
from harness.schedulers.batch_collect import collect
from harness.schedulers.batch_markers import do_again, mark, marked, read_marker, set_aside, unmark
from harness.schedulers.batch_part import do_step
from harness.schedulers.batch_plan import fitting_jobs, plan_batch
from harness.schedulers.batch_request import read_request
from harness.schedulers.batch_status import PartState, batch_status
from harness.schedulers.execution import is_kept
from harness.schedulers.prune import prunable
from harness.schedulers.submit import SubmitRequest, plan_run, submit

from .batches import assert_each_part_stands_in_one_run, make_batch


def test_a_request_comes_back_from_the_plan_with_every_field(request_for, tmp_path):
    request = request_for(
        params={"rate": 0.5, "layers": [1, 2], "name": "a"},
        passed={"rate": 1.0, "layers": [3]},
        seed=3,
        graphs=(tmp_path / "g.npz",),
        discard_predictions=True,
    )
    batch = make_batch([replace(request, graphs=())])
    assert not batch.plan.parts[0].before
    plain = batch.plan.parts[0].model_copy(
        update={
            "request": batch.plan.parts[0].request | {"graphs": {"row": [{"path": str(tmp_path / "g.npz")}]}}
        }
    )
    found = read_request(batch, plain)
    for field in fields(SubmitRequest):
        if field.name != "dataset":
            assert getattr(found, field.name) == getattr(request, field.name), field.name
    assert found.dataset.data_hash == request.dataset.data_hash


def test_a_part_is_run_then_scored_and_neither_twice(request_for):
    batch = make_batch([request_for()])
    do_step(batch, 1, "run")
    assert marked(batch)["ran"] == {1}
    assert batch_status(batch).parts[0].state is PartState.WAITING
    assert is_kept(batch.runs, batch.part(1).config_hash)
    assert list_runs(batch.runs) == []
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    assert_each_part_stands_in_one_run(batch)
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    assert_each_part_stands_in_one_run(batch)
    assert marked(batch)["ran"] == set()


def test_a_part_whose_run_ended_otherwise_can_be_done_again_and_keeps_both_runs(request_for):
    batch = make_batch([request_for("def submission(task): raise SystemExit(3)")])
    do_step(batch, 1, "run")
    assert do_again(batch, [RunStatus.ENVIRONMENT]) == []
    for n in (1, 2):
        assert do_again(batch, [RunStatus.FAILED]) == [1]
        assert batch_status(batch).parts[0].state is PartState.UNFINISHED
        do_step(batch, 1, "run")
        (one,) = batch_status(batch).parts
        assert one.status is RunStatus.FAILED
        assert len(list_runs(batch.runs)) == n + 1
        assert one.path not in {str(batch.runs / name) for name in set_aside(batch, 1)}
        assert len(set_aside(batch, 1)) == n


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("def submission(task): raise SystemExit(3)", RunStatus.FAILED),
        ("def submission(task): import os; os._exit(0)", RunStatus.INVALID),
    ],
)
def test_a_run_that_has_nothing_to_score_is_finished_at_once(request_for, code, status):
    batch = make_batch([request_for(code)])
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    (one,) = batch_status(batch).parts
    assert (one.state, one.status) == (PartState.FINISHED, status)
    assert_each_part_stands_in_one_run(batch)


@pytest.mark.parametrize("step", ["run", "score"])
def test_a_run_that_was_written_just_before_a_kill_is_taken_over(request_for, step):
    batch = make_batch([request_for()])
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    unmark(batch, 1, "finished")
    do_step(batch, 1, step)
    assert_each_part_stands_in_one_run(batch)


def test_runs_from_before_the_batch_are_not_its_own(request_for):
    request = request_for()
    old = submit(plan_run(request))
    batch = make_batch([request])
    assert batch.part(1).before == [old.path.name]
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    assert len(list_runs(batch.runs)) == 2
    assert batch_status(batch).parts[0].path != str(old.path)


def test_what_the_run_wrote_and_somebody_removed_is_run_again(request_for):
    import shutil

    batch = make_batch([request_for()])
    do_step(batch, 1, "run")
    shutil.rmtree(batch.runs / ".steps")
    with pytest.raises(ChangedError, match="is gone"):
        do_step(batch, 1, "score")
    (one,) = batch_status(batch).parts
    assert one.state is PartState.REFUSED
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    assert_each_part_stands_in_one_run(batch)


def test_pruning_leaves_what_a_batch_waits_to_score(request_for):
    batch = make_batch([request_for()])
    do_step(batch, 1, "run")
    assert prunable(batch.runs, keep_models=5, failed=True) == []
    do_step(batch, 1, "score")
    assert_each_part_stands_in_one_run(batch)


def test_a_submission_that_changed_since_is_refused_and_the_refusal_is_kept(request_for):
    batch = make_batch([request_for()])
    Path(batch.plan.parts[0].request["folder"]["path"], "main.py").write_text("def submission(task): ...")
    with pytest.raises(ChangedError, match="not the one that was planned"):
        do_step(batch, 1, "run")
    marker = read_marker(batch, 1, "fault")
    assert marker is not None
    assert "submit it anew" in marker.reason
    assert list_runs(batch.runs) == []


def test_two_processes_at_one_part_make_one_run(request_for):
    batch = make_batch([request_for()])
    code = (
        "import sys; from pathlib import Path; from harness.schedulers.batch import Batch\n"
        "from harness.schedulers.batch_part import do_step\n"
        "for step in ('run', 'score'): do_step(Batch(Path(sys.argv[1])), 1, step)"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(batch.path)]) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert_each_part_stands_in_one_run(batch)


def test_the_same_run_twice_is_refused(request_for):
    with pytest.raises(HarnessError, match="asked for twice"):
        make_batch([request_for(), request_for()])


def test_a_container_of_a_daemon_does_not_go_to_slurm(request_for):
    plan = plan_run(request_for())
    config = plan.config.model_copy(update={"runtime": "docker"})
    with pytest.raises(HarnessError, match="does not go with SLURM") as refusal:
        plan_batch([replace(plan, config=config)], on="slurm", root=Path())
    assert "apptainer" in str(refusal.value.mend)


def test_a_batch_is_found_by_name_beginning_and_last(request_for):
    first = make_batch([request_for()], name="one-a")
    second = make_batch([request_for(seed=1)], name="one-b")
    runs = first.runs
    assert [batch.name for batch in list_batches(runs)] == ["one-a", "one-b"]
    assert find_batch(runs, "one-b") == second
    assert find_batch(runs, "last") == second
    with pytest.raises(HarnessError, match="names 2 batches"):
        find_batch(runs, "one")
    with pytest.raises(UnknownNameError, match="two"):
        find_batch(runs, "two")
    with pytest.raises(HarnessError, match="no name for a batch"):
        make_batch([request_for()], name="../away")


def test_a_killed_batch_that_nobody_works_on_is_unfinished(request_for):
    batch = make_batch([request_for(seed=seed) for seed in range(2)])
    mark(batch, 2, "ran")
    assert [one.state for one in batch_status(batch).parts] == [PartState.UNFINISHED, PartState.WAITING]
    assert not batch_status(batch).moving


def test_collecting_tells_the_scores_and_what_is_missing(request_for):
    batch = make_batch([request_for(seed=seed) for seed in range(2)])
    do_step(batch, 1, "run")
    do_step(batch, 1, "score")
    document = collect(Batch(batch.path)).document
    assert document["finished"] is False
    assert document["parts"][0]["scores"]["calibrated.wmse"] > 0
    assert document["parts"][1]["state"] == "unfinished"
    assert (batch.path / "collected.json").is_file()


def test_as_many_runs_fit_as_cores_and_memory_allow(request_for, monkeypatch):
    monkeypatch.setenv("HARNESS_CPUS", "8")
    needs = make_batch([request_for(memory="1G")]).part(1).needs
    assert fitting_jobs([needs.model_copy(update={"cpus": 4})] * 9) == 2
    assert fitting_jobs([needs.model_copy(update={"cpus": 16})] * 9) == 1
    assert fitting_jobs([needs.model_copy(update={"memory_bytes": 1 << 50})] * 9) == 1
    assert fitting_jobs([needs]) == 1
