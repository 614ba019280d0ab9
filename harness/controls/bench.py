"""What every control is made on: a dataset, a split, and the built task with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.scoring.training import Training, train_effects, training_statistics
from harness.scoring.truth_cache import cache_of_task
from harness.splits.split import Split
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bench:
    """One task to make controls on."""

    dataset: PerturbDataset
    split: Split
    task: Task

    @cached_property
    def truth(self) -> Truth:
        return load_truth(self.task)

    @cached_property
    def placed(self) -> NDArray[np.bool_]:
        """Rows with a role. [rows]"""
        return self.split.role_codes() >= 0

    @cached_property
    def train_mean(self) -> Floats:
        """The mean effect of all training conditions; zeros where there are none. [genes]"""

        def compute() -> Training:
            return training_statistics(train_effects(self.dataset, self.split), self.n_genes)

        return cache_of_task(self.task.sealed.parent).get("training", Training, compute).mean

    @property
    def n_genes(self) -> int:
        return self.dataset.meta.n_vars


def rows_by_condition(truth: Truth) -> list[NDArray[np.int64]]:
    """Per condition of a truth the query rows that ask for it, ascending."""
    order = np.argsort(truth.query_condition, kind="stable")
    counts = np.bincount(truth.query_condition, minlength=len(truth.conditions))
    return np.split(order, np.cumsum(counts)[:-1])
