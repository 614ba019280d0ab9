"""What a predictions file answers: for each scored condition the rows of the file that speak of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import Expected, PredictionsFile
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.tasks.folder import Task
from harness.tasks.truth import Truth

RowsKind = Literal["query", "dataset"]
"""What `idx` counts: rows of the task's query, or rows of the dataset, as older files do."""


@dataclass(frozen=True)
class Answers:
    """Predictions by condition. Rows stay on disk until they are averaged."""

    file: PredictionsFile
    rows: tuple[NDArray[np.int64], ...]
    """Per condition of the truth: positions in the file; none where the file does not speak of it."""
    asked: tuple[NDArray[np.int64], ...]
    """Per condition: for each of its rows the dataset row whose control cell it starts from; −1: zeros stand in."""
    by_query: bool
    """Whether `asked` are the task's own control cells; otherwise the hidden cells, each with its matched control."""

    def cells(
        self, dataset: PerturbDataset, condition: int, noise: np.random.Generator | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Control cells of a condition's rows, and the predicted cells on top of them. [rows, genes] each

        `noise` draws Gaussian noise of the predicted variance, for variances that are the spread of single cells.
        """
        basal = self._basal(dataset, self.asked[condition])
        rows = self.rows[condition]
        predicted = basal + np.asarray(self.file.mean[rows])
        if noise is not None and self.file.var is not None:
            drawn = noise.standard_normal(predicted.shape, np.float32)
            predicted += drawn * np.sqrt(np.asarray(self.file.var[rows]))
        return basal, predicted

    def _basal(self, dataset: PerturbDataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        if not self.by_query:
            return dataset.X_control(rows)
        basal = np.asarray(dataset.X[np.maximum(rows, 0)])
        basal[rows < 0] = 0
        return basal

    def mean(self, conditions: Sequence[int]) -> NDArray[np.float64]:
        """Predicted effects: the mean over each condition's rows. [conditions, genes]"""
        return self._average(self.file.mean, conditions)

    def variance(self, conditions: Sequence[int]) -> NDArray[np.float64]:
        """Mean of `var` over each condition's rows. [conditions, genes]"""
        if self.file.var is None:
            raise ValueError("these predictions have no variance")
        return self._average(self.file.var, conditions)

    def epistemic(self, conditions: Sequence[int]) -> NDArray[np.float64]:
        """Mean of `epistemic` over each condition's rows; 0 where it was not given. [conditions, genes]"""
        if self.file.epistemic is None:
            return np.zeros((len(conditions), self.file.mean.shape[1]))
        return self._average(self.file.epistemic, conditions)

    def supported(self, condition: int) -> bool:
        """Whether the model itself speaks in every row of a condition, no fallback."""
        return self.file.supported is None or bool((self.file.supported[self.rows[condition]] > 0).all())

    def _average(self, array: NDArray[Any], conditions: Sequence[int]) -> NDArray[np.float64]:
        out = np.empty((len(conditions), array.shape[1]))
        for i, condition in enumerate(conditions):
            out[i] = array[self.rows[condition]].mean(axis=0, dtype=np.float64)
        return out


def answers_to_queries(file: PredictionsFile, truth: Truth) -> Answers:
    """Predictions of the rows that a task asks for."""
    by_condition = np.argsort(truth.query_condition, kind="stable")
    counts = np.bincount(truth.query_condition, minlength=len(truth.conditions))
    parts = np.split(by_condition, np.cumsum(counts)[:-1])
    rows = tuple(np.asarray(file.order[part], np.int64) for part in parts)
    return Answers(file, rows, tuple(truth.query_row[part] for part in parts), by_query=True)


def answers_to_dataset_rows(file: PredictionsFile, truth: Truth, dataset: PerturbDataset) -> Answers:
    """Predictions of the hidden cells themselves, in older files: `idx` are dataset rows of reported conditions."""
    place = np.full(dataset.n_obs, -1, np.int64)
    place[file.idx] = np.arange(len(file.idx))
    rows = tuple(
        place[asked.rows] if asked.kind == "reported" else np.zeros(0, np.int64) for asked in truth.conditions
    )
    lacking = [
        str(asked.condition) for asked, found in zip(truth.conditions, rows, strict=True) if (found < 0).any()
    ]
    if lacking:
        raise HarnessError(
            f"{len(lacking)} conditions are not predicted whole",
            where="idx",
            got=", ".join(lacking[:3]),
            expected="every hidden row of every reported condition",
            mend="predict all rows of the evaluation split",
        )
    return Answers(file, rows, tuple(asked.rows for asked in truth.conditions), by_query=False)


def answers_of(file: PredictionsFile, truth: Truth, dataset: PerturbDataset, rows: RowsKind) -> Answers:
    """Predictions by condition, whatever their rows are."""
    if rows == "query":
        return answers_to_queries(file, truth)
    return answers_to_dataset_rows(file, truth, dataset)


def expected_rows(task: Task, truth: Truth, rows: RowsKind, *, var_required: bool) -> Expected:
    """What a predictions file must answer: the query rows, or the hidden dataset rows of the reported conditions."""
    if rows == "query":
        return Expected.of(task.card, var_required=var_required)
    asked = [condition.rows for condition in truth.conditions if condition.kind == "reported"]
    hidden = np.sort(np.concatenate(asked))
    return Expected(len(hidden), len(task.card.genes), task.card.genes, var_required, hidden)
