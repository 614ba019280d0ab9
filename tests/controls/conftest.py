"""The controls of a tiny real task, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.controls.bench import Bench
from harness.controls.control_set import ControlSet
from harness.controls.task_controls import task_controls
from harness.datasets.dataset import PerturbDataset
from harness.scoring.evaluate import Evaluation, evaluate
from harness.splits.create import create_split
from harness.tasks.build import build_task


@pytest.fixture(scope="session")
def bench(tiny_dataset: PerturbDataset, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    split = create_split(tiny_dataset, "context_ood")
    task = build_task(tiny_dataset, split, "val", cache=Path(tmp_path_factory.mktemp("tasks")))
    return Bench(tiny_dataset, split, task)


@pytest.fixture(scope="session")
def controls(bench: Bench) -> ControlSet:
    return task_controls(bench.dataset, bench.split, bench.task, workers=2)


@pytest.fixture(scope="session")
def score(bench: Bench, tmp_path_factory: pytest.TempPathFactory):
    """Score effects, one per condition of the truth, as a submission would be."""
    folder = tmp_path_factory.mktemp("predictions")

    def run(name: str, effects: np.ndarray, var: float = 0.05) -> Evaluation:
        mean = effects[bench.truth.query_condition].astype(np.float32)
        path = folder / f"{name}.npz"
        np.savez(path, mean=mean, var=np.full_like(mean, var), idx=np.arange(len(mean)))
        file = open_predictions(path, Expected.of(bench.task.card, var_required=True))
        return evaluate(bench.dataset, bench.split, bench.task, file, var_kind="effect", workers=1)

    return run


@pytest.fixture(scope="session")
def true_effects(bench: Bench) -> np.ndarray:
    """The effect of every condition of the truth. [conditions, genes]"""
    return np.stack([bench.truth.delta(bench.dataset, i) for i in range(len(bench.truth.conditions))])
