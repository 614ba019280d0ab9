"""Each model in the environment of its lock, sandboxed and offline: it learns, answers, and says what it cannot."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from harness.audit.audit import audit
from harness.audit.subject import Subject
from harness.conformance.suite import check_submission
from harness.conformance.tiny import TinyTask
from harness.conformance.trial import Candidate, Trial, run_trial
from harness.contract.manifest import load_manifest
from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_preset, make_synthetic, preset_spec
from harness.runtimes.venv import VenvRuntime
from harness.splits.create import create_split
from harness.tasks.build import Task, build_task

pytestmark = pytest.mark.external
MODELS = ("gears", "scgen", "cpa", "state", "cellot")


def tiny_task(regime: str, place: Path) -> Task:
    """A small task of a regime, with its dataset and its sealed truth in a folder."""
    spec = preset_spec("tiny").model_copy(update={"n_doubles": 12})
    dataset = open_dataset(make_synthetic(spec, place / "tiny"))
    split = create_split(dataset, regime)
    return build_task(dataset, split, "val", cache=place / "tasks", max_rows=8)


def run(folder: Path, task: Task, cache: Path, room: Path) -> Trial:
    """One quick run, which has to end well."""
    manifest = load_manifest(folder)
    candidate = Candidate(manifest, folder, manifest.resolve("quick", {}), VenvRuntime(cache=cache))
    trial = run_trial(candidate, TinyTask("combo", task.public, task.card), room, seed=3)
    assert trial.ran, f"{trial.outcome.detail}\n{trial.log[-2000:]}"
    assert trial.predictions is not None
    return trial


class FirstRun(NamedTuple):
    """A model's run on unseen contexts, with the truth on the machine."""

    task: Task
    trial: Trial
    place: Path


@pytest.fixture(scope="session")
def first_run(
    built: Callable[[str], Path], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], FirstRun]:
    """One run of each model for all tests that only look at it: `first_run("gears")`."""
    made: dict[str, FirstRun] = {}

    def get(name: str) -> FirstRun:
        if name not in made:
            place = tmp_path_factory.mktemp(name)
            task = tiny_task("context_ood", place)
            made[name] = FirstRun(task, run(built(name), task, cache, place / "run"), place)
        return made[name]

    return get


@pytest.mark.parametrize("name", MODELS)
def test_it_keeps_every_rule_of_the_contract(name: str, built: Callable[[str], Path]):
    """Determinism by seed, order of rows, plausible support, progress lines: the whole conformance suite."""
    report = check_submission(built(name), variant="quick")
    assert report.conforms, [(check.name, check.reason) for check in report.failed]
    verdicts = {check.name: check.verdict for check in report.checks}
    for rule in ("determinism", "row order", "supported", "progress"):
        assert {verdicts[f"{rule} ({where})"] for where in ("unseen contexts", "combinations")} == {"pass"}


@pytest.mark.parametrize("name", MODELS)
def test_the_run_was_held_in_the_sandbox_and_kept_its_weights(
    name: str, first_run: Callable[[str], FirstRun]
):
    first = first_run(name)
    assert first.trial.outcome.isolation == VenvRuntime().isolation
    weights = np.load(first.place / "run" / "room" / "output" / "model" / f"{name}.npz")
    assert len(weights.files) > 5


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_the_same_bits_whether_or_not_the_truth_is_on_this_machine(
    name: str, built: Callable[[str], Path], first_run: Callable[[str], FirstRun], cache: Path, tmp_path: Path
):
    first = first_run(name)
    for place in (first.task.sealed, first.place / "tiny"):
        for root, folders, _ in os.walk(place):
            for each in (".", *folders):
                os.chmod(os.path.join(root, each), 0o700)
        shutil.rmtree(place)
    without = run(built(name), first.task, cache, tmp_path / "without")
    assert first.trial.predictions is not None
    assert without.predictions is not None
    for member in ("mean", "supported"):
        one, two = (np.asarray(getattr(t.predictions, member)) for t in (first.trial, without))
        assert np.array_equal(one, two)


def test_scgen_marks_sums_of_shifts_as_an_extension(
    built: Callable[[str], Path], cache: Path, tmp_path: Path
):
    trial = run(built("scgen"), tiny_task("combo", tmp_path), cache, tmp_path / "run")
    assert trial.predictions is not None
    assert 1 in np.asarray(trial.predictions.supported)


def test_gears_says_that_it_cannot_know_a_gene_without_neighbours(
    built: Callable[[str], Path], cache: Path, tmp_path: Path
):
    """This task has no graph, and some of its genes were perturbed in no training cell."""
    trial = run(built("gears"), tiny_task("perturbation_ood", tmp_path), cache, tmp_path / "run")
    assert trial.predictions is not None
    assert 0 in np.asarray(trial.predictions.supported)


@pytest.mark.long
@pytest.mark.parametrize("name", MODELS)
def test_no_audit_finds_a_leak(name: str, built: Callable[[str], Path], tmp_path: Path):
    folder = built(name)
    dataset = open_dataset(make_preset("demo", tmp_path / "demo", scale=0.25, seed=0))
    subject = Subject.of(folder, variant="quick")
    checks = ("canary", "planted marker", "same seed twice", "renamed perturbations")
    page = audit(subject, task=(dataset, create_split(dataset, "context_ood")), checks=checks)
    assert not page.leaks, page.markdown()
    assert {one.check: one.state for one in page.findings}["same seed twice"] == "pass"
