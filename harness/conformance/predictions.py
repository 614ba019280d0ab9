"""A predictions file against a task folder, without its submission."""

from __future__ import annotations

from pathlib import Path

from harness.contract.predictions import Expected, PredictionsFile, open_predictions
from harness.contract.task import TASK_FILE, TaskCard
from harness.errors import HarnessError
from harness.storage import read_json
from harness.tasks.folder import PUBLIC


def read_card(folder: Path) -> TaskCard:
    """The card of a task folder, or of the folder that it was built in."""
    for path in (folder / TASK_FILE, folder / PUBLIC / TASK_FILE):
        if path.is_file():
            return TaskCard.read(read_json(path, "task card"), where=path)
    raise HarnessError(
        "no task folder here", where=folder, expected=TASK_FILE, mend="harness tasks build NAME builds one"
    )


def check_predictions(path: Path, card: TaskCard, *, var_required: bool = False) -> PredictionsFile:
    """Accepted predictions, or one refusal with all their faults."""
    return open_predictions(path, Expected.of(card, var_required=var_required))
