"""The lie detector: honest submissions pass, and who knows what cannot be known is named by the check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.audit.audit import CHECKS, audit
from harness.audit.finding import Audit, found, skipped
from harness.audit.reruns import exchange_names, judge_renamed, same_seed_finding
from harness.audit.secrets import OBSERVED_FILE, plant_marker, planted_finding
from harness.audit.stage import Stage
from harness.audit.subject import Subject
from harness.contract.manifest import load_manifest
from harness.contract.predictions import PredictionsFile
from harness.datasets.dataset import PerturbDataset
from harness.splits.create import create_split
from harness.splits.split import Split
from harness.tasks.folder import open_task
from harness.tasks.truth import load_truth

BASELINES = Path(__file__).parents[2] / "submissions" / "baselines"
CHEATERS = Path(__file__).parents[1] / "attacks" / "cheaters"
SECRETS = ("canary", "planted marker", "same seed twice", "renamed perturbations")


@pytest.fixture(scope="module")
def tiny(tiny_dataset: PerturbDataset) -> tuple[PerturbDataset, Split]:
    return tiny_dataset, create_split(tiny_dataset, "context_ood")


@pytest.fixture
def stage(tiny: tuple[PerturbDataset, Split], tmp_path: Path) -> Stage:
    return Stage.of(*tiny, tmp_path / "tasks", load_manifest(BASELINES / "ridge"))


def predictions(stage: Stage, mean: np.ndarray, path: Path) -> PredictionsFile:
    n = len(mean)
    return PredictionsFile(path, mean.astype(np.float32), np.arange(n), np.arange(n))


def states(page: Audit) -> dict[str, str]:
    return {one.check: one.state for one in page.findings}


def test_an_honest_baseline_passes_every_check_of_secrets(tiny: tuple[PerturbDataset, Split]) -> None:
    page = audit(Subject.of(BASELINES / "per_perturbation_mean"), task=tiny, checks=SECRETS)
    assert states(page) == dict.fromkeys(SECRETS, "pass")
    assert page.exit_code == 0
    assert page.verdict == "no check failed"


def test_a_submission_that_goes_by_rows_is_named(tiny: tuple[PerturbDataset, Split]) -> None:
    page = audit(Subject.of(CHEATERS / "row_order"), task=tiny, checks=("renamed perturbations",))
    assert states(page) == {"renamed perturbations": "fail"}
    assert page.leaks
    assert page.exit_code == 17


def test_what_reads_the_marked_copy_brings_the_marker_along(stage: Stage, tmp_path: Path) -> None:
    plant = plant_marker(stage)
    truth = load_truth(stage.task)
    marked = np.load(stage.task.sealed / OBSERVED_FILE)
    copied = predictions(stage, marked[truth.query_condition], tmp_path)
    finding = planted_finding(stage, plant, copied)
    assert finding.state == "fail"
    assert finding.leak


def test_knowing_the_real_effects_is_not_knowing_the_marker(stage: Stage, tmp_path: Path) -> None:
    plant = plant_marker(stage)
    truth = load_truth(stage.task)
    real = np.stack([truth.delta(stage.dataset, i) for i in range(len(truth.conditions))])
    assert (
        planted_finding(stage, plant, predictions(stage, real[truth.query_condition], tmp_path)).state
        == "pass"
    )


def test_planting_leaves_the_task_sealed_and_its_truth_as_it_was(stage: Stage) -> None:
    before = load_truth(stage.task)
    plant_marker(stage)
    again = open_task(stage.task.sealed.parent)
    after = load_truth(again)
    assert np.array_equal(before.canary, after.canary)
    assert [one.condition for one in before.conditions] == [one.condition for one in after.conditions]
    assert not any(path.name == OBSERVED_FILE for path in stage.task.public.rglob("*"))


def test_exchanged_names_ask_the_same_questions_in_other_rows(stage: Stage, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(stage.task.public, tmp_path / "copy"))
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before, after = exchange_names(folder)
    assert sorted(set(before)) == sorted(set(after))
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert all(a.split("\t")[0] == b.split("\t")[0] for a, b in zip(before, after, strict=True))


def test_predictions_that_move_with_names_are_told_from_those_that_stay() -> None:
    a, b = np.ones(5), -np.ones(5)
    asked, exchanged = ["p", "q"], ["q", "p"]
    by_name = judge_renamed({"p": a, "q": b}, {"p": a, "q": b}, asked, exchanged)
    by_place = judge_renamed({"p": a, "q": b}, {"q": a, "p": b}, asked, exchanged)
    neither = judge_renamed({"p": a, "q": a}, {"p": a, "q": a}, asked, exchanged)
    assert (by_name.state, by_place.state, neither.state) == ("pass", "fail", "pass")


def test_two_runs_that_differ_in_more_than_rounding_fail(stage: Stage, tmp_path: Path) -> None:
    mean = np.ones((6, 4))
    first = predictions(stage, mean, tmp_path)
    assert same_seed_finding(first, first).state == "pass"
    assert same_seed_finding(first, predictions(stage, mean * 1.000001, tmp_path)).state == "pass"
    assert same_seed_finding(first, predictions(stage, mean * 1.01, tmp_path)).state == "fail"


def test_the_page_says_the_verdict_first_and_every_check_after_it() -> None:
    findings = (found("canary", True, 0.4, "a|b"), skipped("shuffled graph", "it does not read graphs"))
    page = Audit("x", "0" * 64, "process", "sandbox", "a demo screen", findings).markdown()
    assert page.startswith("# Audit of x\n\nNo check failed.")
    assert "| canary | pass | 0.4 | a\\|b |" in page
    assert "| shuffled graph | not applicable | – |" in page


@pytest.mark.long
@pytest.mark.parametrize("name", ["ridge", "global_mean"])
def test_a_baseline_passes_the_whole_audit(name: str) -> None:
    page = audit(Subject.of(BASELINES / name))
    assert {one.check for one in page.findings} == set(CHECKS)
    assert "fail" not in states(page).values()


def test_a_submission_that_reads_the_graph_is_asked_whether_it_helps() -> None:
    page = audit(Subject.of(Path(__file__).parent / "neighbours"), checks=("shuffled graph",))
    (finding,) = page.findings
    assert finding.state in ("pass", "fail")
    assert "calibrated.wmse gains" in finding.reason
    assert finding.number is not None
    assert abs(finding.number) > 0, "the graph that it was given decides what it says"
