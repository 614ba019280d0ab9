"""`harness submit` as a person uses it."""

from __future__ import annotations

import json

import pytest

from harness.contract.status import RunStatus


def test_submit_ends_with_a_table_a_status_and_the_path_of_the_run(run_harness, project):
    done = run_harness("submit", "zeros")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert (project / lines[-1] / "record.json").is_file()
    assert lines[-1].startswith("runs/")
    assert lines[-2] == f"scorecard: {lines[-1]}/scorecard.html"
    assert lines[-3].startswith("status: ok")
    assert any(line.startswith("isolation: ") for line in lines)
    assert any("wmse" in line for line in lines)
    assert done.stderr == ""


def test_strict_isolation_is_refused_where_there_is_no_sandbox(unconfined, run_harness):
    done = run_harness("submit", "zeros", "--isolation", "strict")
    assert done.returncode == 3
    assert "strict isolation is not available" in done.stderr
    assert "hidden_host (no sandbox" in done.stderr


def test_stepping_down_is_said_in_one_line(unconfined, run_harness):
    done = run_harness("submit", "zeros")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "isolation steps down to 'process+limits'" in line
    assert "offline (no network namespace)" in line


def test_json_holds_record_and_metrics(run_harness):
    told = json.loads(run_harness("submit", "submissions/zeros@high", "--seed", "3", "--json").stdout)
    assert told["record"]["status"] == "ok"
    assert told["record"]["seed"] == 3
    assert told["record"]["submission"]["variant"] == "high"
    assert told["metrics"]["calibrated"]["global"]["wmse"]["value"] > 0


def test_a_parameter_is_read_as_the_kind_of_its_default(run_harness, project):
    told = json.loads(
        run_harness("submit", "zeros", "--param", "level=2", "--param", "label=3", "--json").stdout
    )
    config = json.loads((project / told["path"] / "config.json").read_text())
    assert config["params"]["passed"] == {"level": 2, "label": "3"}


def test_a_dry_run_says_what_would_run_and_runs_nothing(run_harness, project):
    done = run_harness("submit", "zeros", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert plan["declined"] == []
    assert plan["config"]["task"]["name"] == "tiny:context_ood"
    assert not (project / "runs").exists()


def test_data_and_split_name_a_task_as_well(run_harness):
    by_task = json.loads(run_harness("submit", "zeros", "--dry-run", "--json").stdout)
    by_parts = json.loads(
        run_harness(
            "submit", "zeros", "--data", "data/tiny", "--split", "context_ood", "--dry-run", "--json"
        ).stdout
    )
    assert by_task["config"] == by_parts["config"]


def test_the_task_of_a_run_is_the_one_that_is_built_with_graphs_learned_on_its_split(run_harness):
    def planned() -> str:
        plan = json.loads(run_harness("submit", "zeros", "--dry-run", "--json").stdout)
        return plan["config"]["task"]["hash"]

    without = planned()
    learned = run_harness("data", "graph", "tiny", "--coexpression", "--split", "context_ood")
    assert learned.returncode == 0, learned.stderr
    built = json.loads(run_harness("tasks", "build", "tiny:context_ood", "--json").stdout)
    assert planned() == built["hash"] != without


def test_opening_test_is_said(run_harness):
    done = run_harness("submit", "zeros", "--eval-split", "test", "--first-look", "the paper", "--json")
    assert done.returncode == 0
    assert "opening the test split of tiny:context_ood" in done.stderr
    assert json.loads(done.stdout)["metrics"]["task"]["eval_split"] == "test"


def test_the_exit_code_is_that_of_the_status(run_harness, project):
    (project / "submissions" / "zeros" / "main.py").write_text("def submission(task): raise ValueError('oh')")
    done = run_harness("submit", "zeros")
    assert done.returncode == 12
    assert "status: failed" in done.stdout
    assert "ValueError: oh" in done.stdout
    assert (project / done.stdout.strip().splitlines()[-1] / "record.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["zeroes"], 5, "did you mean 'zeros'"),
        (["zeros@hihg"], 5, "did you mean 'high'"),
        (["zeros", "--param", "levle=1"], 5, "did you mean 'level'"),
        (["zeros", "--param", "level=x"], 3, "wrong type"),
        (["zeros", "--param", "level"], 3, "KEY=VALUE"),
        (["zeros", "--task", "tiny:context_odd"], 5, "did you mean 'context_ood'"),
        (["zeros", "--task", "tiny"], 5, "tiny:context_ood"),
        (["zeros", "--data", "tiny"], 2, "--split SPLIT"),
        (["zeros", "--task", "a:b", "--data", "tiny", "--split", "x"], 2, "named twice"),
        (["zeros", "--runtime", "proces"], 5, "did you mean 'process'"),
    ],
)
def test_a_refusal_says_what_and_how_to_mend_it(run_harness, project, words, code, said):
    done = run_harness("submit", *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "runs").exists()


def test_the_default_task_is_made_on_first_use(run_harness, project):
    (project / "harness.toml").unlink()
    done = run_harness("submit", "zeros", "--json")
    assert done.returncode == 0
    assert "making the built-in dataset demo" in done.stderr
    task = json.loads(done.stdout)["record"]["task"]
    assert (task["name"], task["eval_split"]) == ("demo:context_ood", "val")
    assert (project / "data" / "demo" / "meta.json").is_file()
    assert "making" not in run_harness("submit", "zeros", "--json").stderr


def test_submissions_are_listed_and_described(run_harness):
    (entry,) = json.loads(run_harness("submissions", "list", "--json").stdout)
    assert (entry["name"], entry["variants"], entry["refused"]) == ("zeros", ["high"], None)
    told = json.loads(run_harness("submissions", "describe", "zeros@high", "--json").stdout)
    assert told["resolved_params"] == {"level": 1.0, "label": "plain"}
    assert "zeros 1.0" in run_harness("submissions", "describe", "zeros").stdout
    assert "Zeros" in run_harness("submissions", "list").stdout


def test_a_broken_manifest_is_listed_with_its_reason(run_harness, project):
    (project / "submissions" / "zeros" / "submission.toml").write_text("schema = 1\nnam = 'x'\n")
    (entry,) = json.loads(run_harness("submissions", "list", "--json").stdout)
    assert "unknown key 'nam'" in entry["refused"]


def test_a_disk_that_cannot_take_the_run_ends_as_environment(run_harness):
    done = run_harness("submit", "zeros", HARNESS_RUN_DIR="/dev/null/runs")
    assert done.returncode == RunStatus.ENVIRONMENT.exit_code
    assert "the operating system refused" in done.stderr
    assert "/dev/null" in done.stderr
