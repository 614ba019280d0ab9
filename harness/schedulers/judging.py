"""From scores and controls to a verdict: passports of the task, made once, then every gate of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.controls.control_set import ControlSet
from harness.controls.task_controls import controls_cost, task_controls
from harness.datasets.dataset import PerturbDataset
from harness.records.ledger import enter_look
from harness.scoring.direct_table import table_of
from harness.scoring.evaluate import Evaluation
from harness.splits.split import Split
from harness.tasks.folder import Task
from harness.verdicts.judge import Verdict, judge
from harness.verdicts.specificity import specificity
from harness.verdicts.task_passports import FOLDER, TaskPassports, kept_passports, make_passports

Tell = Callable[[str, int, int], None]
"""Told (what is done, done, of)."""


def verdict_of(
    evaluation: Evaluation,
    controls: ControlSet,
    own: str | None,
    *,
    passports: Path | None,
    ledger: Path,
    tell: Tell,
    seeds: int = 1,
) -> Verdict:
    """Judge scored predictions. `own` is the control that the submission is, if it is one.

    `passports` is where those of tasks are kept; by default beside the task.
    """
    inputs = evaluation.engine.inputs
    folder = passports or inputs.task.sealed.parent / FOLDER
    found = passports_from(folder, inputs.dataset, inputs.split, inputs.task, controls, ledger, tell)
    tested = specificity([evaluation.engine])
    return judge(evaluation.document, table_of(evaluation), controls, found, own, seeds, tested)


def task_passports(
    folder: Path, dataset: PerturbDataset, split: Split, task: Task, ledger: Path, tell: Tell
) -> TaskPassports:
    """The passports of a task, its controls made first where they are not there yet."""
    found = kept_passports(folder, dataset, split, task.card.eval_split)
    if found is not None:
        return found
    missing = controls_cost(task).missing
    if missing:
        enter_look(ledger, task, "control", reason=f"{len(missing)} controls of the task")
    controls = task_controls(dataset, split, task, progress=lambda done, of: tell("controls", done, of))
    return passports_from(folder, dataset, split, task, controls, ledger, tell)


def passports_from(
    folder: Path,
    dataset: PerturbDataset,
    split: Split,
    task: Task,
    controls: ControlSet,
    ledger: Path,
    tell: Tell,
) -> TaskPassports:
    """The passports of a task whose controls are there; on test their making is entered as the harness's own."""
    found = kept_passports(folder, dataset, split, task.card.eval_split)
    if found is not None:
        return found
    enter_look(ledger, task, "passport", reason="metric passports of the task")
    return make_passports(
        folder, dataset, split, task, controls, progress=lambda done, of: tell("passports", done, of)
    )
