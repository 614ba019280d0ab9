"""One scoring process: `python -m harness.scoring.worker JOB NUMBER OF FOLDER`, started by `workers`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness.contract.predictions import open_predictions
from harness.datasets.dataset import open_dataset
from harness.errors import HarnessError
from harness.scoring.answers import expected_rows
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.workers import DONE, REFUSED, say
from harness.splits.split import read_split
from harness.storage import read_json
from harness.tasks.folder import open_task
from harness.tasks.truth import load_truth


def main(job: Path, number: int, of: int, folder: Path) -> int:
    """Score one shard; what is refused is told to whoever asked."""
    try:
        engine = _engine(read_json(job, "job"), job)
        engine.score_shard(number, of, folder, lambda done, _: say({DONE: done}))
    except HarnessError as error:
        say({REFUSED: {"what": error.what, "code": int(error.code)} | dict(error.lines())})
        return int(error.code)
    return 0


def _engine(told: dict[str, Any], job: Path) -> Engine:
    """The engine of the process that asked; dataset and task have been verified there."""
    dataset = open_dataset(Path(told["dataset"]), verify=False)
    task = open_task(Path(told["task"]), verify=False)
    expected = expected_rows(task, load_truth(task), told["rows"], var_required=False)
    file = open_predictions(Path(told["predictions"]), expected)
    split = read_split(told["split"], where=job)
    inputs = ScoreInputs(dataset, split, task, file, told["var_kind"], told["rows"], told["keep"])
    return Engine(inputs, told["identity"])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
