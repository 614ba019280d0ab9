"""`harness new` writes a starter, whole or not at all."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.contract.manifest import load_manifest
from harness.errors import ExistsError, HarnessError


@pytest.fixture
def new():
    return lambda *words: CliRunner().invoke(app, ["new", *words])


@pytest.mark.parametrize("kind", ["module", "command", "container"])
def test_a_starter_has_its_own_name_and_no_placeholder(new, tmp_path, kind):
    assert new("my-model", "--kind", kind, "--dir", str(tmp_path)).exit_code == 0
    manifest = load_manifest(tmp_path / "my-model")
    assert manifest.name == "my-model"
    for file in (tmp_path / "my-model").iterdir():
        assert "STARTER" not in file.read_text()


def test_without_a_folder_it_goes_to_the_submissions_of_the_project(new, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = new("my-model")
    assert result.exit_code == 0
    assert (tmp_path / "submissions" / "my-model" / "main.py").is_file()
    assert "harness validate" in result.output


def test_an_existing_submission_is_refused_and_left_alone(new, tmp_path):
    new("my-model", "--dir", str(tmp_path))
    (tmp_path / "my-model" / "main.py").write_text("mine")
    result = new("my-model", "--dir", str(tmp_path))
    assert isinstance(result.exception, ExistsError)
    assert (tmp_path / "my-model" / "main.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["My-Model", "my model", "../up", "-x", ""])
def test_a_name_that_cannot_stand_on_the_board_is_refused(new, tmp_path, name):
    result = new("--dir", str(tmp_path), "--", name)
    assert isinstance(result.exception, HarnessError)
    assert "lower-case" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
