"""`harness tasks`: list, describe, build."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.tasks import app
from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_preset
from harness.errors import HarnessError, UnknownNameError
from harness.settings import load_settings
from harness.splits.create import create_split
from harness.splits.store import SplitStore
from harness.tasks.names import resolve_task_name


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_preset("tiny", tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture
def project(tiny, tmp_path, monkeypatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "tiny").symlink_to(tiny)
    monkeypatch.chdir(tmp_path)
    for variable in ("HARNESS_DATA_DIR", "HARNESS_SPLIT_DIR", "PERTURBFM_SPLIT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    SplitStore(tmp_path / "splits").save(create_split(open_dataset(tiny), "context_ood"), alias="small")
    return tmp_path


def run(*args: str):
    return CliRunner().invoke(app, list(args))


def told(*args: str):
    result = run(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_shows_each_split_with_its_alias_and_what_is_built(project):
    (before,) = told("list")
    assert (before["task"], before["aliases"], before["dataset_here"], before["built"]) == (
        "tiny:context_ood", ["small"], True, []
    )  # fmt: skip
    told("build", "small")
    assert told("list")[0]["built"] == ["val"]
    assert "tiny:context_ood" in run("list").output


def test_build_writes_the_folder_that_it_names_and_finds_it_again(project):
    first = told("build", "tiny:context_ood")
    assert (Path(first["folder"]) / "task.json").is_file()
    assert told("build", "--data", "tiny", "--split", "context_ood") == first
    assert told("build", "tiny:context_ood", "--eval-split", "test")["hash"] != first["hash"]


def test_a_dry_run_tells_the_sizes_of_what_would_be_built_and_builds_nothing(project):
    would = told("build", "small", "--dry-run")
    assert not (project / "data" / ".tasks").exists()
    built = told("build", "small")
    assert (would["train rows"], would["query rows"]) == (built["train rows"], built["query rows"])
    arrays = [p for name in ("train", "query") for p in (Path(built["folder"]) / name).glob("*.npy")]
    assert would["bytes"] == sum(p.stat().st_size - 128 for p in arrays)


def test_describe_prints_the_public_card_and_no_truth(project):
    card = told("describe", "small")
    assert card["name"] == "tiny:context_ood"
    assert card["n_genes"] == 64
    for output in (json.dumps(card), run("describe", "small").output):
        assert not any(word in output for word in ("canary", "calib", "iid", "reported"))


def test_a_name_that_no_split_has_is_answered_with_the_nearest(project):
    with pytest.raises(UnknownNameError, match="unknown task 'smal'") as refusal:
        resolve_task_name("smal", load_settings())
    assert refusal.value.mend == "did you mean 'small'?"


def test_a_task_whose_dataset_is_not_here_says_how_to_get_it(project):
    with pytest.raises(HarnessError, match="not here") as refusal:
        resolve_task_name("absent:context_ood", load_settings())
    assert "harness data fetch absent" in str(refusal.value.mend)


def test_neither_a_name_nor_data_with_split_is_a_usage_error(project):
    assert run("build").exit_code == 2
    assert run("build", "small", "--data", "tiny").exit_code == 2
    assert run("build", "small", "--eval-split", "train").exit_code == 2


def test_the_demo_dataset_and_its_split_are_made_on_first_use_with_a_line_each(project):
    lines: list[str] = []
    first = resolve_task_name("demo:context_ood", load_settings(), say=lines.append)
    assert first.dataset == project / "data" / "demo"
    assert len(lines) == 2
    assert SplitStore(project / "splits").load(first.split, "demo").regime == "context_ood"
    assert resolve_task_name("demo:context_ood", load_settings(), say=lines.append) == first
    assert len(lines) == 2


def test_describe_speaks_to_people_in_words(project):
    output = run("describe", "small").output
    assert "may learn from" in output
    assert "{" not in output
    assert "[]" not in output


def test_three_first_calls_at_once_find_the_one_demo_dataset(project):
    command = [sys.executable, "-m", "harness.cli.main", "tasks", "describe", "demo:context_ood"]
    calls = [subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [call.communicate(timeout=120)[1] for call in calls]
    assert [call.returncode for call in calls] == [0, 0, 0], said
