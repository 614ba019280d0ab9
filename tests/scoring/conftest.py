"""A tiny real task with its truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset
from harness.splits.create import create_split
from harness.splits.split import Split
from harness.tasks.build import build_task
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth


@pytest.fixture(scope="session")
def tiny(tiny_dataset: PerturbDataset) -> PerturbDataset:
    return tiny_dataset


@pytest.fixture(scope="session")
def tiny_split(tiny: PerturbDataset) -> Split:
    return create_split(tiny, "context_ood")


@pytest.fixture(scope="session")
def tiny_task(tiny: PerturbDataset, tiny_split: Split, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return build_task(tiny, tiny_split, "val", cache=Path(tmp_path_factory.mktemp("tasks")))


@pytest.fixture(scope="session")
def tiny_truth(tiny_task: Task) -> Truth:
    return load_truth(tiny_task)
