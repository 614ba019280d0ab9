"""`harness submit` of many runs, and `harness batch`."""

from __future__ import annotations

import json

import pytest


def test_several_seeds_are_a_batch_that_ends_with_a_table(run_harness, project):
    done = run_harness("submit", "zeros", "zeros@high", "--name", "two", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "wmse" in done.stdout
    told = json.loads(run_harness("batch", "status", "two", "--json").stdout)
    assert told["finished"] is True
    assert [part["label"] for part in told["parts"]] == [
        "zeros on tiny:context_ood, val, seed 0",
        "zeros@high on tiny:context_ood, val, seed 0",
    ]
    (listed,) = json.loads(run_harness("batch", "list", "--json").stdout)
    assert (listed["batch"], listed["parts"], listed["finished"]) == ("two", 2, 2)
    collected = json.loads(run_harness("batch", "collect", "last", "--json").stdout)
    assert collected["parts"][1]["scores"]["calibrated.wmse"] > 0
    logs = json.loads(run_harness("batch", "logs", "two", "--part", "1", "--json").stdout)
    assert all((project / log["path"]).is_file() for log in logs)
    assert json.loads(run_harness("batch", "cancel", "two", "--json").stdout)["cancelled"] == 0
    again = run_harness("batch", "resume", "two", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["counts"] == {"finished": 2}


def test_the_exit_code_of_a_batch_is_that_of_its_first_run_that_did_not_end_well(run_harness, project):
    (project / "submissions" / "zeros" / "main.py").write_text("def submission(task): raise ValueError('oh')")
    assert run_harness("submit", "zeros", "--on", "local").returncode == 12


@pytest.mark.parametrize("on", ["local", "slurm"])
def test_a_dry_run_of_a_batch_writes_nothing(run_harness, project, on):
    (project / "harness.toml").write_text('task = "tiny:context_ood"\n[slurm]\npartition = "night"\n')
    done = run_harness("submit", "zeros", "--seeds", "2", "--on", on, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert ("#SBATCH --partition=night" in done.stdout) == (on == "slurm")
    assert ("seed 1" in done.stdout) == (on == "local")
    assert not (project / "runs").exists()
    plan = json.loads(
        run_harness("submit", "zeros", "--seeds", "2", "--on", on, "--dry-run", "--json").stdout
    )
    assert [part["axes"] for part in plan["plan"]["parts"]] == [{"seed": 0}, {"seed": 1}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "zeros", "--gres", "gpu:1"), "needs --on slurm"),
        (("submit", "zeros", "--on", "slurm", "--jobs", "2"), "--array-limit"),
        (("score", "last", "--on", "slurm"), "--on needs --shards N and --out DIR"),
    ],
)
def test_options_of_another_scheduler_are_refused(run_harness, words, said):
    done = run_harness(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_an_unknown_site_option_is_refused_with_the_nearest(run_harness, project):
    (project / "harness.toml").write_text('task = "tiny:context_ood"\n[slurm]\npartiton = "gpu"\n')
    done = run_harness("submit", "zeros", "--on", "slurm", "--dry-run")
    assert done.returncode == 3
    assert "'partition'" in done.stderr


def test_no_cluster_is_said_before_anything_waits(run_harness, project):
    done = run_harness("submit", "zeros", "--on", "slurm", SLURM_CONF=str(project / "none.conf"))
    assert done.returncode == 15
    assert "SLURM_CONF" in done.stderr
    assert json.loads(run_harness("batch", "list", "--json").stdout) == []


def test_an_unknown_batch_is_refused(run_harness):
    assert run_harness("batch", "status", "nothing").returncode == 5
