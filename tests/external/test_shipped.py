"""What every wrapped model ships, without building anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.contract.manifest import load_manifest
from harness.datasets.dataset import PerturbDataset
from harness.runtimes.environments.lock import normalised, read_lock
from harness.runtimes.environments.wheels import LINE, SOURCES
from harness.schedulers.claims import declined_because
from harness.splits.create import create_split

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
NAMES = ("cellot", "cpa", "gears", "scgen", "state")
MOST_LINES = 220


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_lock_a_recipe_for_either_kind_of_image_and_a_page(name: str):
    folder = SUBMISSIONS / name
    manifest = load_manifest(folder)
    assert (manifest.run.runtime, manifest.run.packages) == ("venv", ["external_kit"])
    assert manifest.url
    lock = read_lock(folder / str(manifest.run.requirements))
    assert {"numpy", "torch", "setuptools"} <= set(lock.packages)
    for other in ("Containerfile", f"{name}.def", "README.md"):
        assert (folder / other).is_file(), other


@pytest.mark.parametrize("name", NAMES)
def test_packages_that_are_built_from_source_are_those_of_the_lock(name: str):
    folder = SUBMISSIONS / name
    if not (folder / SOURCES).is_file():
        return
    packages = read_lock(folder / "requirements.lock").packages
    for line in (folder / SOURCES).read_text().splitlines():
        told = LINE.fullmatch(line)
        if told:
            assert packages[normalised(told["name"])] == told["version"]


@pytest.mark.parametrize("name", NAMES)
def test_the_adapter_is_one_short_file_on_the_sdk(name: str):
    text = (SUBMISSIONS / name / "adapter.py").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    imported = {
        node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert {module for module in imported if module.startswith("harness")} == {"harness.sdk"}


@pytest.mark.parametrize(
    ("regime", "params", "runs"),
    [
        ("context_ood", {}, True),
        ("combo", {"unseen_fraction": 0.0}, True),  # every part of a combination was shown alone
        ("combo", {}, False),
        ("perturbation_ood", {}, False),
    ],
)
def test_scgen_declines_tasks_with_perturbations_that_it_cannot_know(
    demo_dataset: PerturbDataset, regime: str, params: dict[str, float], runs: bool
):
    claims = load_manifest(SUBMISSIONS / "scgen").claims
    split = create_split(demo_dataset, regime, **params)
    reasons = declined_because(claims, demo_dataset, split, "val", [])
    told = ["perturbations that training never showed" in reason for reason in reasons]
    assert told == ([] if runs else [True])


def test_gears_declines_tasks_without_a_graph(demo_dataset: PerturbDataset, tmp_path: Path):
    claims = load_manifest(SUBMISSIONS / "gears").claims
    split = create_split(demo_dataset, "perturbation_ood")
    (reason,) = declined_because(claims, demo_dataset, split, "val", [])
    assert "'graph'" in reason
    assert declined_because(claims, demo_dataset, split, "val", [tmp_path / "any.npz"]) == []
