"""One scoring process: `python -m harness.scoring.worker JOB NUMBER OF FOLDER`, started by `workers`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from harness.contract.predictions import open_predictions
from harness.datasets.dataset import open_dataset
from harness.errors import ChangedError, HarnessError
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
        engine = engine_of_job(read_json(job, "job"), where=job)
        engine.score_shard(number, of, folder, lambda done, _: say({DONE: done}))
    except HarnessError as error:
        say({REFUSED: {"what": error.what, "code": int(error.code)} | dict(error.lines())})
        return int(error.code)
    return 0


def engine_of_job(told: dict[str, Any], *, where: Path, trusted: bool = True) -> Engine:
    """The engine that `job_document` told of.

    `trusted`: dataset, task and predictions have been verified by the process that asks and waits; otherwise they are
    verified anew, and must be what they were.
    """
    dataset = open_dataset(Path(told["dataset"]), verify=not trusted)
    task = open_task(Path(told["task"]), verify=not trusted)
    expected = expected_rows(task, load_truth(task), told["rows"], var_required=False)
    file = open_predictions(Path(told["predictions"]), expected)
    split = read_split(told["split"], where=where)
    inputs = ScoreInputs(dataset, split, task, file, told["var_kind"], told["rows"], told["keep"])
    engine = Engine(inputs, told["identity"] if trusted else None)
    if engine.identity != told["identity"]:
        raise ChangedError(
            "what is to be scored has changed since it was planned",
            where=where,
            got=engine.identity,
            expected=told["identity"],
            mend="was the harness updated, or the predictions written anew? Plan the score again",
        )
    return engine


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
