"""A dozen submissions that cheat or fool themselves: each is stopped or flagged by the gate that is for it, by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.audit.stage import Stage
from harness.audit.subject import Subject
from harness.contract.status import RunStatus
from harness.controls.submission_controls import submission_controls
from harness.controls.task_controls import task_controls
from harness.datasets.dataset import PerturbDataset
from harness.schedulers.submit import SubmitRequest, plan_run, submit
from harness.scoring.direct_table import table_of
from harness.splits.create import create_split
from harness.tasks.truth import load_truth
from harness.verdicts.judge import Verdict, judge, read_verdict

CHEATERS = Path(__file__).parent / "cheaters"
CAUGHT = {
    "collapses": {"no collapse", "beats controls"},
    "echoes_controls": {"beats controls", "uses the perturbation"},
    "farms_noise": {"calibrated"},
    "floods_de": {"no collapse", "right scale", "beats controls"},
    "inflates_variance": {"calibrated"},
    "metadata": {"uses the perturbation", "beats controls"},
    "row_order": {"uses the perturbation", "beats controls"},
    "scales_up": {"right scale"},
    "spikes_targets": {"beats controls"},
    "training_mean": {"no collapse", "uses the perturbation", "beats controls"},
}
"""Cheater → the gates that must fail."""
HELD = {"reads_labels": {"canaries silent", "not too good"}, "copies_truth": {"not too good"}}
"""Cheater → the gates that hold it."""
SCALE = 0.04
LEAKY_SCALE = 0.08


@pytest.fixture(scope="module")
def verdict_on(
    preset_dataset: Callable[..., PerturbDataset], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Verdict]:
    """Runs a cheater on a demo screen in its runtime and judges it by all controls, which are made once."""
    root = tmp_path_factory.mktemp("court")
    dataset = preset_dataset("demo", scale=SCALE)
    subjects = {name: Subject.of(copied(name, root)) for name in CAUGHT}
    first = next(iter(subjects.values()))
    stage = Stage.of(dataset, create_split(dataset, "context_ood"), root / "tasks", first.manifest)
    controls = task_controls(dataset, stage.split, stage.task, workers=1)

    def verdict(name: str) -> Verdict:
        subject = subjects[name]
        evaluation = stage.score(subject.run(stage.task, root / f"{name}-run"), subject.manifest)
        own = submission_controls(evaluation, workers=1)
        return judge(evaluation.document, table_of(evaluation), controls | own, None)

    return verdict


def copied(name: str, root: Path) -> Path:
    return Path(shutil.copytree(CHEATERS / name, root / name))


def plant_truth(folder: Path, stage: Stage) -> None:
    """The path through which labels reach a cheater: they lie beside its code."""
    truth = load_truth(stage.task)
    np.savez(
        folder / "leak.npz",
        context=np.array([asked.condition.context for asked in truth.conditions]),
        pert=np.array([asked.condition.pert for asked in truth.conditions]),
        canary=np.array([asked.kind == "canary" for asked in truth.conditions]),
        delta=np.stack([truth.delta(stage.dataset, i) for i in range(len(truth.conditions))]),
    )


def failed(verdict: Verdict) -> set[str]:
    return {gate.name for gate in verdict.gates if gate.state == "fail"}


def test_every_cheater_of_the_folder_is_tried() -> None:
    assert {path.name for path in CHEATERS.iterdir() if path.is_dir()} == {*CAUGHT, *HELD}


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_a_cheater_is_flagged_by_its_gate(name: str, verdict_on: Callable[[str], Verdict]) -> None:
    verdict = verdict_on(name)
    assert failed(verdict) >= CAUGHT[name], [
        (gate.name, gate.state, gate.reason) for gate in verdict.gates if gate.name in CAUGHT[name]
    ]
    assert not verdict.held


@pytest.mark.parametrize("name", sorted(HELD))
def test_who_knows_the_labels_is_held_even_where_a_covariate_leaks(
    name: str,
    preset_dataset: Callable[..., PerturbDataset],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    dataset = preset_dataset("leaky", scale=LEAKY_SCALE)
    split = create_split(dataset, "context_ood")
    cache = tmp_path_factory.getbasetemp() / "leaky-tasks"
    folder = copied(name, tmp_path)
    plant_truth(folder, Stage.of(dataset, split, cache, Subject.of(folder).manifest))
    run = submit(plan_run(SubmitRequest(folder, dataset, split, tmp_path / "runs", cache)))
    verdict = read_verdict(run)
    assert failed(verdict) >= HELD[name]
    assert run.record.status is RunStatus.HELD
    assert run.record.status.exit_code == verdict.exit_code == 17
    assert all(gate in run.record.reason for gate in HELD[name])
