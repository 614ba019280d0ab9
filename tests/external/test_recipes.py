"""What the recipes of CPA, CellOT and STATE refuse or stand in for, without building anything."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.contract.manifest import load_manifest
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.runtimes.environments.build import UnbuildableError, environment
from harness.runtimes.environments.installers import installers
from harness.runtimes.environments.lock import read_lock
from harness.runtimes.environments.wheels import build_wheels
from harness.schedulers.claims import declined_because
from harness.sdk import SdkError
from harness.splits.create import create_split

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
GENES = ["A", "B", "C", "D"]


def module_of(submission: str, name: str) -> ModuleType:
    """A file of a submission as a module of its own."""
    spec = importlib.util.spec_from_file_location(
        f"{submission}_{name}", SUBMISSIONS / submission / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pretrained() -> ModuleType:
    return module_of("state", "pretrained")


def config(control: str) -> dict[str, object]:
    return {"data": {"kwargs": {"control_pert": control}}}


def test_a_model_whose_config_names_another_control_than_it_was_trained_with_is_refused(pretrained):
    known = ["drug 1", "[('DMSO_TF', 0.0, 'uM')]"]
    assert pretrained.control_label(config(known[1]), known) == known[1]
    with pytest.raises(SdkError, match="known fault of STATE") as refused:
        pretrained.control_label(config("DMSO_TF"), known)
    assert known[1] in str(refused.value)


def test_a_model_that_lacks_one_of_the_asked_labels_is_refused_by_name_or_falls_back(pretrained):
    assert pretrained.labels(["x", "y"], ["x", "y", "z"], "refuse") == {"x", "y"}
    with pytest.raises(SdkError, match="does not know 1 of 2 perturbations of this task: y"):
        pretrained.labels(["x", "y"], ["x"], "refuse")
    assert pretrained.labels(["x", "y"], ["x"], "fallback") == {"x"}
    with pytest.raises(SdkError, match="2 of 2"):
        pretrained.labels(["x", "y"], ["a"], "fallback")


def test_a_model_speaks_of_genes_by_name_and_order_or_not_at_all(pretrained, tmp_path):
    assert pretrained.columns(GENES, ["C", "A"], 2, tmp_path) == [2, 0]
    with pytest.raises(SdkError, match="takes 3 genes and names 2"):
        pretrained.columns(GENES, ["C", "A"], 3, tmp_path)
    with pytest.raises(SdkError, match="1 of the model's 2 genes are not in this task: Q"):
        pretrained.columns(GENES, ["Q", "A"], 2, tmp_path)
    with pytest.raises(SdkError, match="A stand more than once"):
        pretrained.columns(GENES, ["A", "A"], 2, tmp_path)
    with pytest.raises(SdkError, match=r"genes\.txt"):
        pretrained.columns(GENES, None, 2, tmp_path)
    (tmp_path / "genes.txt").write_text("D\nB\n")
    assert pretrained.columns(GENES, None, 2, tmp_path) == [3, 1]


def test_a_folder_that_is_no_trained_model_is_refused_with_what_it_lacks(pretrained, tmp_path):
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(SdkError, match=r"lacks var_dims\.pkl, pert_onehot_map\.pt, checkpoints"):
        pretrained.require_files(tmp_path)


def test_states_licence_is_said_before_its_first_build_and_stands_in_its_manifest_and_recipes():
    folder = SUBMISSIONS / "state"
    notices = " ".join(read_lock(folder / "requirements.lock").remarks.notices)
    for text in (
        notices, load_manifest(folder).license, (folder / "README.md").read_text(),
        (folder / "Containerfile").read_text(), (folder / "state.def").read_text(),
    ):  # fmt: skip
        assert "CC BY-NC-SA 4.0" in re.sub(r"\s+", " ", text)
        assert "non-commercial" in text.lower()


def test_nothing_of_state_is_in_its_folder():
    kept = {path.suffix for path in (SUBMISSIONS / "state").rglob("*") if path.is_file()}
    assert kept <= {".py", ".toml", ".lock", ".md", ".def", ".txt", "", ".pyc"}


@pytest.mark.parametrize("installer", installers(), ids=lambda one: one.name)
def test_without_cellots_source_its_environment_is_missing_and_the_way_to_it_is_said(
    installer, monkeypatch, tmp_path
):
    folder = SUBMISSIONS / "cellot"
    monkeypatch.delenv("CELLOT_SOURCE", raising=False)
    with pytest.raises(HarnessError, match="source of cellot is yours to supply") as refused:
        build_wheels(folder / "sources.txt", tmp_path / "wheels")
    assert "CELLOT_SOURCE is not set" in str(refused.value)
    monkeypatch.setattr("harness.runtimes.environments.build.installers", lambda: [installer])
    lock = tmp_path / "cellot" / "requirements.lock"
    lock.parent.mkdir()
    lock.write_text("cellot==0.1\n")
    (lock.parent / "sources.txt").write_text((folder / "sources.txt").read_text())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnbuildableError) as refused:
        environment(read_lock(lock), tmp_path / "cache", wheels=tmp_path / "empty")
    assert "harness environment wheels" in str(refused.value)


def test_cpas_stand_ins_leave_what_is_installed_alone_and_take_any_argument(monkeypatch):
    stand_ins = module_of("cpa", "stand_ins")
    monkeypatch.setattr(
        stand_ins, "NAMES", {"absent_part": ("Thing",), "absent_part.sub": ("b",), "json": ("x",)}
    )
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    stand_ins.install()
    from absent_part import Thing  # type: ignore[import-not-found]
    from absent_part.sub import b  # noqa: F401  # type: ignore[import-not-found]

    def kept() -> int:
        return 3

    assert Thing(1, a=2).dedent(kept) is kept
    assert not hasattr(sys.modules["json"], "x")


@pytest.mark.parametrize("name", ["cpa", "cellot", "state"])
@pytest.mark.parametrize(
    ("regime", "params", "declined"),
    [
        ("context_ood", {}, ()),
        ("perturbation_ood", {}, ("cpa", "cellot", "state")),
        ("combo", {"unseen_fraction": 0.0}, ("state",)),
    ],
)  # fmt: skip
def test_what_a_model_cannot_know_is_declined_with_the_reason(
    demo_dataset: PerturbDataset, name: str, regime: str, params: dict[str, float], declined: tuple[str, ...]
):
    claims = load_manifest(SUBMISSIONS / name).claims
    reasons = declined_because(claims, demo_dataset, create_split(demo_dataset, regime, **params), "val", [])
    assert bool(reasons) == (name in declined)
    assert all("that training never showed" in reason for reason in reasons)
