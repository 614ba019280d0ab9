"""`harness schemas`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from harness.cli.main import main


class Answer(NamedTuple):
    code: int
    out: str
    err: str


Harness = Callable[..., Answer]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harness:
    """Call `harness schemas …` in an empty folder, through the function that the console script calls."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["harness", "schemas", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        printed = capsys.readouterr()
        return Answer(int(left.value.code or 0), printed.out, printed.err)

    return call


def test_list_names_every_schema(tmp_path: Path, harness: Harness) -> None:
    listed = json.loads(harness("list", "--json").out)
    assert [row["name"] for row in listed] == ["submission", "task", "predictions", "status"]
    assert all(row["describes"] for row in listed)


def test_export_writes_what_show_prints_and_check_finds_it_current(tmp_path: Path, harness: Harness) -> None:
    assert harness("export").code == 0
    shown = harness("show", "task", "--json").out
    assert json.loads((tmp_path / "schemas/task.schema.json").read_text()) == json.loads(shown)
    assert harness("export", "--check").code == 0

    (tmp_path / "schemas/task.schema.json").write_text("{}")
    stale = harness("export", "--check")
    assert stale.code == 4
    assert "schemas differ from the code" in stale.err
    assert "harness schemas export --out schemas" in stale.err


def test_check_accepts_a_good_manifest_and_refuses_a_misspelt_one(tmp_path: Path, harness: Harness) -> None:
    manifest = tmp_path / "submission.toml"
    good = 'schema = 1\nname = "a"\nversion = "1"\ntitle = "A"\nauthors = []\nlicense = "MIT"\n'
    manifest.write_text(good + '[run]\nmodule = "a:b"\n')
    assert harness("check", manifest).code == 0
    manifest.write_text(good + '[run]\nmodul = "a:b"\n')
    refused = harness("check", manifest)
    assert refused.code == 3
    assert "did you mean 'module'?" in refused.err


def test_check_prints_every_fault_of_a_predictions_file(tmp_path: Path, harness: Harness) -> None:
    path = tmp_path / "predictions.npz"
    np.savez(path, mean=np.array([{"a": 1}], dtype=object), idx=np.zeros(3, int), means=np.zeros((3, 2)))
    refused = harness("check", path)
    assert refused.code == 3
    assert "predictions are refused: 2 faults" in refused.err
    assert "is an object array, which numpy can only store as a pickle" in refused.err
    assert "did you mean mean.npy?" in refused.err


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("notes.json", 3, "does not say which schema is meant"), ("task.json", 3, "document not found")],
)
def test_check_says_what_it_cannot_check(harness: Harness, name: str, code: int, said: str) -> None:
    answer = harness("check", name)
    assert (answer.code, said in answer.err) == (code, True)


def test_an_unknown_schema_has_its_own_exit_code(tmp_path: Path, harness: Harness) -> None:
    answer = harness("show", "tsk")
    assert answer.code == 5
    assert "did you mean 'task'?" in answer.err
