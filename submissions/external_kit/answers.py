"""Predictions that are filled in as they come; rows that a model cannot answer keep the mean training delta, and say so."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from external_kit.cells import condition_means
from harness.sdk import Predictions, Task

NATIVE = 2
"""The model itself answers."""
EXTENSION = 1
"""The wrapper answers by the model in a way that its authors did not describe, e.g. summed shifts for a combination."""
FALLBACK = 0
"""The model cannot say: the mean training delta stands in."""


class Answers:
    """The predictions of a task, at first all by fallback."""

    def __init__(self, task: Task) -> None:
        _, means = condition_means(task)
        fallback = means.mean(axis=0) if len(means) else np.zeros(len(task.genes), np.float32)
        self.idx = task.query.obs["row"]
        self.mean = np.tile(fallback.astype(np.float32), (len(self.idx), 1))
        self.var: NDArray[np.float32] | None = None
        self.supported = np.full(len(self.idx), FALLBACK, np.uint8)

    def put(
        self,
        rows: NDArray[np.int64],
        delta: NDArray[Any],
        supported: int | NDArray[Any] = NATIVE,
        var: NDArray[Any] | None = None,
    ) -> None:
        """Answer some query rows: [genes] for all of them alike, or [rows, genes]; `supported` alike or by row."""
        self.mean[rows] = delta
        self.supported[rows] = supported
        if var is not None:
            if self.var is None:
                self.var = np.zeros_like(self.mean)
            self.var[rows] = var

    def shares(self) -> dict[str, float]:
        """The share of the query rows that was answered in each way."""
        names = {"native": NATIVE, "extension": EXTENSION, "fallback": FALLBACK}
        return {name: float((self.supported == level).mean()) for name, level in names.items()}

    def predictions(self) -> Predictions:
        """Everything that was answered. `var` has to be given for all rows or for none."""
        return Predictions(self.mean, self.var, self.idx, supported=self.supported)
