"""Every submission of this repository has a manifest that holds, found by walking: a new folder needs no other edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contract.manifest import load_manifest

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
FOLDERS = sorted(path.parent for path in SUBMISSIONS.rglob("submission.toml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_manifest_is_valid_and_named_like_its_folder(folder: Path):
    manifest = load_manifest(folder)
    assert manifest.name == folder.name.replace("_", "-")
    for variant in manifest.variants:
        manifest.resolve(variant, {})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_python_submission_has_the_module_that_it_names(folder: Path):
    run = load_manifest(folder).run
    if run.module is not None:
        module = run.module.partition(":")[0].replace(".", "/")
        assert (folder / f"{module}.py").is_file() or (SUBMISSIONS / f"{module}.py").is_file()


def test_names_are_unique_on_the_board():
    names = [load_manifest(folder).name for folder in FOLDERS]
    assert len(names) == len(set(names))
