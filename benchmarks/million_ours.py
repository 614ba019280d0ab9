"""One score of the million-cell job in its own process: python -m benchmarks.million_ours FOLDER PREDICTIONS [WORKERS]."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.dataset
import scipy.linalg
import scipy.special
import scipy.stats

from benchmarks.measure import cpu_seconds
from harness.contract.predictions import open_predictions
from harness.datasets.dataset import open_dataset
from harness.scoring.evaluate import evaluate, expected_rows, write_evaluation
from harness.splits.split import read_split
from harness.storage import read_json
from harness.tasks.folder import open_task
from harness.tasks.truth import load_truth

IMPORTS = (pyarrow.dataset, scipy.linalg, scipy.special, scipy.stats)
"""Loaded here and not at first use, so that imports are counted apart."""


def main(words: list[str]) -> None:
    """Score, write the documents, and say what it took."""
    imported = cpu_seconds()
    folder, predictions = Path(words[0]), Path(words[1])
    dataset = open_dataset(folder / "screen", verify=False)
    split = read_split(read_json(folder / "split.json", "split"), where="split.json")
    (root,) = (folder / "tasks").iterdir()
    task = open_task(root, verify=False)
    file = open_predictions(predictions, expected_rows(task, load_truth(task), "query", var_required=True))
    opened = cpu_seconds()
    workers = int(words[2]) if len(words) > 2 else 1
    evaluation = evaluate(dataset, split, task, file, var_kind="effect", workers=workers)
    write_evaluation(predictions, evaluation, predictions.name)
    print(
        json.dumps(
            {
                "import_cpu_s": imported,
                "score_cpu_s": cpu_seconds() - opened,
                "complete": evaluation.complete,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
