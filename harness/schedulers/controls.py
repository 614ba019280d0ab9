"""What a scored run is held against: the controls of its task, made once, and those of its own predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.controls.control_set import ControlSet
from harness.controls.submission_controls import submission_controls
from harness.controls.task_controls import controls_cost, task_controls
from harness.records.ledger import enter_look
from harness.scoring.evaluate import Evaluation

Tell = Callable[[str, int, int], None]
"""Told (which controls, done, of)."""


def controls_of(evaluation: Evaluation, ledger: Path, tell: Tell) -> ControlSet:
    """Every control of a scored predictions file; on test the making of those of the task is entered in the ledger."""
    inputs = evaluation.engine.inputs
    missing = controls_cost(inputs.task).missing
    if missing:
        enter_look(ledger, inputs.task, "control", reason=f"{len(missing)} controls of the task")
    kept = task_controls(
        inputs.dataset,
        inputs.split,
        inputs.task,
        progress=lambda done, of: tell("of the task, once", done, of),
    )
    own = submission_controls(evaluation, progress=lambda done, of: tell("of the submission", done, of))
    return kept | own
