"""The content hash of a submission."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contract.content import package_source, submission_hash
from harness.contract.manifest import Submission
from harness.errors import HarnessError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ridge"
    (made / "weights").mkdir(parents=True)
    (made / "submission.toml").write_text("schema = 1")
    (made / "main.py").write_text("def predict(task): ...\n")
    (made / "weights" / "beta.npy").write_bytes(b"\x00\x01")
    return made


@pytest.fixture
def submission(manifest: dict[str, Any]) -> Submission:
    manifest["run"]["packages"] = []
    return Submission.read(manifest, where="here")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package beside the submission, importable by the name `shared_layers`."""
    made = tmp_path / "site" / "shared_layers"
    (made / "deep").mkdir(parents=True)
    (made / "__init__.py").write_text("raise RuntimeError('hashing must not import')\n")
    (made / "deep" / "layer.py").write_text("WIDTH = 64\n")
    monkeypatch.setattr(sys, "path", [str(made.parent), *sys.path])
    return made


def test_the_hash_does_not_depend_on_the_place(tmp_path: Path, folder: Path, submission: Submission) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert submission_hash(folder, submission) == submission_hash(tmp_path / "elsewhere" / "copy", submission)


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename", "move"])
def test_every_change_of_a_file_changes_the_hash(folder: Path, submission: Submission, change: str) -> None:
    before = submission_hash(folder, submission)
    main = folder / "main.py"
    if change == "edit":
        main.write_text("def predict(task):  ...\n")
    elif change == "add":
        (folder / "notes.txt").touch()
    elif change == "remove":
        main.unlink()
    elif change == "rename":
        main.rename(folder / "Main.py")
    else:
        main.rename(folder / "weights" / "main.py")
    assert submission_hash(folder, submission) != before


def test_caches_do_not_change_the_hash(folder: Path, submission: Submission) -> None:
    before = submission_hash(folder, submission)
    for cache in ("__pycache__", ".venv", "weights/.ipynb_checkpoints"):
        (folder / cache).mkdir()
        (folder / cache / "x.pyc").write_bytes(b"x")
    assert submission_hash(folder, submission) == before


def test_a_named_package_is_part_of_the_submission(
    folder: Path, manifest: dict[str, Any], package: Path
) -> None:
    manifest["run"]["packages"] = ["shared_layers"]
    submission = Submission.read(manifest, where="here")
    before = submission_hash(folder, submission)
    assert submission_hash(folder, submission) == before
    (package / "deep" / "layer.py").write_text("WIDTH = 65\n")
    assert submission_hash(folder, submission) != before
    assert "shared_layers" not in sys.modules


def test_the_model_package_of_the_repository_has_a_source() -> None:
    assert (package_source("perturbfm") / "__init__.py").is_file()


@pytest.mark.parametrize(("name", "got"), [("no_such_package", "not installed"), ("sys", "no source file")])
def test_a_package_without_source_is_refused(name: str, got: str) -> None:
    with pytest.raises(HarnessError, match=f"package '{name}' has no source here[\\s\\S]*got: {got}"):
        package_source(name)


def test_a_link_to_a_file_counts_as_that_file(folder: Path, submission: Submission, tmp_path: Path) -> None:
    before = submission_hash(folder, submission)
    (folder / "weights" / "beta.npy").rename(tmp_path / "beta.npy")
    (folder / "weights" / "beta.npy").symlink_to(tmp_path / "beta.npy")
    assert submission_hash(folder, submission) == before


@pytest.mark.parametrize("kind", ["folder link", "dangling link", "pipe"])
def test_what_is_neither_file_nor_folder_is_refused(
    folder: Path, submission: Submission, tmp_path: Path, kind: str
) -> None:
    strange = folder / "strange"
    if kind == "pipe":
        os.mkfifo(strange)
    else:
        strange.symlink_to(tmp_path if kind == "folder link" else tmp_path / "nowhere")
    with pytest.raises(HarnessError, match="may hold only files and folders"):
        submission_hash(folder, submission)
