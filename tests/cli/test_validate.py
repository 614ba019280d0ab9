"""`harness validate` checks a submission or a predictions file, and says it by exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.conformance.tiny import TinyTask, tiny_tasks
from harness.errors import HarnessError, UnknownNameError

INVALID = 11


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> TinyTask:
    return tiny_tasks(tmp_path_factory.mktemp("tiny"))[0]


@pytest.fixture
def validate():
    return lambda *words: CliRunner().invoke(app, ["validate", *(str(word) for word in words)])


@pytest.fixture
def save(tmp_path: Path, task: TinyTask):
    """Save predictions of zeros for the task, with members replaced."""

    def write(**members) -> Path:
        shape = (task.card.n_query, len(task.card.genes))
        zeros = np.zeros(shape, np.float32)
        np.savez(tmp_path / "p.npz", **({"mean": zeros, "idx": np.arange(shape[0])} | members))
        return tmp_path / "p.npz"

    return write


def test_accepted_predictions_exit_0_and_say_what_they_hold(validate, save, task):
    result = validate(save(), "--task", task.folder)
    assert result.exit_code == 0
    assert f"{task.card.n_query} rows" in result.output


def test_notes_are_printed(validate, save, task):
    mean = np.zeros((task.card.n_query, len(task.card.genes)), np.float64)
    result = validate(save(mean=mean), "--task", task.folder)
    assert result.exit_code == 0
    assert "note: mean: <f8 was read as float32" in result.output


def test_all_faults_of_a_file_are_printed_and_the_exit_code_is_11(validate, save, task):
    mean = np.full((task.card.n_query, len(task.card.genes)), np.nan, np.float32)
    result = validate(save(mean=mean, idx=np.zeros(task.card.n_query, int)), "--task", task.folder)
    assert result.exit_code == INVALID
    assert "mean" in result.stderr
    assert "idx" in result.stderr


def test_faults_as_json(validate, save, task):
    result = validate(save(), "--task", task.folder, "--needs-var", "--json")
    assert result.exit_code == INVALID
    told = json.loads(result.stdout)
    assert told["valid"] is False
    assert told["faults"][0]["field"] == "var"


def test_the_built_folder_around_the_task_is_a_task_too(validate, save, task):
    assert validate(save(), "--task", task.folder.parent).exit_code == 0


def test_a_predictions_file_without_a_task_is_told_how(validate, save):
    result = validate(save())
    assert isinstance(result.exception, HarnessError)
    assert "--task" in str(result.exception)


def test_a_folder_that_is_no_task_is_refused(validate, save, tmp_path):
    result = validate(save(), "--task", tmp_path)
    assert isinstance(result.exception, HarnessError)
    assert "task.json" in str(result.exception)


def test_an_unknown_submission_is_named(validate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(validate("nobody").exception, UnknownNameError)


def test_a_broken_submission_exits_11_and_its_checks_are_listed(validate, tmp_path):
    (tmp_path / "submission.toml").write_text("schema = 1\n")
    result = validate(tmp_path)
    assert result.exit_code == INVALID
    assert "fail  manifest" in result.output
    assert "0 passed, 1 failed" in result.output


def test_an_unknown_variant_lists_those_that_exist(validate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["new", "my-model"])
    result = validate("my-model@halv", "--json")
    assert result.exit_code == INVALID
    assert "half" in json.loads(result.stdout)["checks"][0]["reason"]


def test_a_conforming_submission_exits_0_with_every_check_as_json(validate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, ["new", "my-model"])
    result = validate("my-model@half", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["conforms"] is True
    assert told["variant"] == "half"
    assert {"name", "verdict", "reason", "mend"} == set(told["checks"][0])
