"""`harness sweep`: chosen on validation, resumable, and never a look at test."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.records.run_folder import list_runs

SWEEP = """
schema = 1
name = "levels"
submissions = ["zeros"]
tasks = ["tiny:context_ood"]
seeds = 2
metric = "calibrated.mse"
[grid]
level = [0.0, 3.0]
"""


@pytest.fixture
def sweep(project):
    path = project / "levels.toml"
    path.write_text(SWEEP)
    return path


def test_a_dry_run_counts_and_estimates_and_writes_nothing(run_harness, project, sweep):
    told = json.loads(run_harness("sweep", "launch", "levels.toml", "--dry-run", "--json").stdout)
    assert told["runs"] == 4
    assert len(told["left"]) == 4
    assert "4 of them have no earlier run to tell" in told["estimate"]["sentence"]
    assert not (project / "runs").exists()


def test_a_sweep_finds_its_winner_repeats_nothing_and_leaves_test_closed(run_harness, project, sweep):
    done = run_harness("sweep", "launch", "levels.toml", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "winner: zeros level=0.0, shown to be better than the runner-up" in done.stdout
    told = json.loads(run_harness("sweep", "aggregate", "levels.toml", "--json").stdout)
    assert told["winner"]["params"] == {"level": 0.0}
    assert told["eval_split"] == "val"
    assert told["points"][1]["winner_ahead_by"]["low"] > 0
    assert json.loads((project / "runs/.sweeps/levels/left.json").read_text())["left"] == []

    before = {run.path.name for run in list_runs(project / "runs")}
    assert run_harness("sweep", "resume", "levels.toml").returncode == 0
    assert run_harness("sweep", "launch", "levels.toml").returncode == 0
    after = list_runs(project / "runs")
    assert {run.path.name for run in after} == before
    assert {run.record.task.eval_split for run in after} == {"val"}
    assert not (project / "ledger.jsonl").exists()

    lost, kept = (next(run for run in after if run.record.seed == seed) for seed in (1, 0))
    shutil.rmtree(lost.path)
    state = json.loads(run_harness("sweep", "status", "levels.toml", "--json").stdout)
    assert (state["finished"], state["counts"]) == (False, {"ok": 3, "left": 1})
    partial = json.loads(run_harness("sweep", "aggregate", "levels.toml", "--json").stdout)
    assert partial["unfinished"] == 1
    assert "1 of its 2 runs are not finished" in [point["reason"] for point in partial["points"]]
    resumed = run_harness("sweep", "resume", "levels.toml", "--dry-run", "--json")
    assert len(json.loads(resumed.stdout)["left"]) == 1

    record = kept.path / "record.json"
    record.write_text(record.read_text().replace('"eval_split": "val"', '"eval_split": "test"'))
    forged = run_harness("sweep", "aggregate", "levels.toml")
    assert forged.returncode == 3
    assert "a sweep reads validation alone" in forged.stderr


def test_resume_reads_the_list_and_refuses_a_file_that_is_another_one_by_now(run_harness, sweep):
    unknown = run_harness("sweep", "resume", "levels.toml")
    assert unknown.returncode == 3
    assert "was not launched" in unknown.stderr
    sweep.write_text(SWEEP.replace("[0.0, 3.0]", "[0.0]").replace("seeds = 2", "seeds = 1"))
    assert run_harness("sweep", "launch", "levels.toml").returncode == 0
    sweep.write_text(SWEEP)
    changed = run_harness("sweep", "resume", "levels.toml")
    assert changed.returncode == 4
    assert "not the one that was launched" in changed.stderr


def test_a_point_with_an_unknown_parameter_is_refused_before_anything_runs(run_harness, project, sweep):
    sweep.write_text(SWEEP.replace("level =", "levle ="))
    done = run_harness("sweep", "launch", "levels.toml")
    assert done.returncode == 5
    assert "'level'" in done.stderr
    assert not (project / "runs").exists()


def test_a_file_is_found_by_its_name_and_an_unknown_one_is_answered_with_the_nearest(
    run_harness, project, sweep
):
    (project / "suites").mkdir()
    sweep.rename(project / "suites" / "levels.toml")
    assert run_harness("sweep", "status", "levels").returncode == 0
    done = run_harness("sweep", "status", "levles")
    assert done.returncode == 5
    assert "'levels'" in done.stderr


@pytest.mark.long
@pytest.mark.slurm
def test_a_sweep_goes_to_a_cluster_and_is_aggregated_afterwards(run_harness, project, sweep):
    import os

    environment = {"SLURM_CONF": os.environ.get("SLURM_CONF", "/etc/slurm/slurm.conf")}
    sweep.write_text(SWEEP.replace("seeds = 2", "seeds = 1"))
    done = run_harness("sweep", "launch", "levels.toml", "--on", "slurm", **environment)
    assert done.returncode == 0, done.stderr
    assert run_harness("batch", "status", "last", "--wait", **environment).returncode == 0
    told = json.loads(run_harness("sweep", "aggregate", "levels.toml", "--json", **environment).stdout)
    assert (told["unfinished"], told["winner"]["params"]) == (0, {"level": 0.0})
