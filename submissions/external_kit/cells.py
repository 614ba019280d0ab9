"""The training cells that a model is shown: plain arrays, at most so many of each condition, drawn by the run's seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Condition, Task

CONTROL = "control"
"""The label of control cells in `Cells.pert`, whatever the task calls them."""
_DRAW = 7


@dataclass(frozen=True)
class Cells:
    """Training cells in memory, controls among them."""

    rows: NDArray[np.int64]
    """Their places in the training table, in ascending order. [cells]"""
    X: NDArray[np.float32]
    """Log-normalised expression. [cells, genes]"""
    own_control: NDArray[np.float32]
    """Expression of the matched control; for controls their own. [cells, genes]"""
    counts: NDArray[Any] | None
    """Raw counts where the dataset has them. [cells, genes]"""
    pert: NDArray[np.object_]
    """Perturbation labels as text; controls have the label `CONTROL`. [cells]"""
    genes: list[tuple[str, ...]]
    """The perturbed genes of each cell; empty for controls and drugs."""
    context: NDArray[np.object_]
    batch: NDArray[np.object_]
    is_control: NDArray[np.bool_]
    role: NDArray[np.object_]
    """`train`, or `val` where the task opens test."""
    covariates: dict[str, NDArray[np.object_]]
    """Dose, time, … as text, by name."""

    def __len__(self) -> int:
        return len(self.rows)

    def obs(self) -> dict[str, NDArray[Any]]:
        """The columns as plain text, as every version of anndata takes them."""
        told = {"pert": self.pert, "context": self.context, "batch": self.batch, **self.covariates}
        return {name: np.array([str(each) for each in column], object) for name, column in told.items()}


def training_cells(task: Task, *, per_condition: int = 0, controls_per_context: int = 0) -> Cells:
    """The labelled cells and the controls of a task; 0 takes all of a condition or context."""
    obs = task.train.obs
    is_control = np.asarray(obs["is_control"], bool)
    conditions = task.conditions("train")
    groups = [(conditions.rows(i), per_condition) for i in range(len(conditions))]
    contexts = obs["context_id"]
    groups += [
        (np.flatnonzero(is_control & (contexts == context)), controls_per_context)
        for context in sorted(set(contexts[is_control]))
    ]
    rows = np.sort(np.concatenate([_drawn(task.seed, rows, most) for rows, most in groups]))
    X = np.array(task.train.X[rows], np.float32)
    matched = obs["control_row"][rows]
    own = np.where(is_control[rows] | (matched < 0), rows, matched)
    own_control = np.array(task.train.X[own], np.float32)
    own_control[(matched < 0) & ~is_control[rows]] = 0.0  # the dataset holds deltas
    counts = None if task.train.counts is None else np.array(task.train.counts[rows])
    return Cells(
        rows=rows,
        X=X,
        own_control=own_control,
        counts=counts,
        pert=np.where(is_control[rows], CONTROL, obs["pert_id"][rows]).astype(object),
        genes=[
            () if control else tuple(text.split("+")) if text else ()
            for text, control in zip(obs["pert_genes"][rows], is_control[rows], strict=True)
        ],
        context=obs["context_id"][rows],
        batch=obs["batch_id"][rows],
        is_control=is_control[rows],
        role=obs["role"][rows],
        covariates={name: obs[name][rows] for name in task.card.get("covariates", [])},
    )


def condition_means(task: Task) -> tuple[list[Condition], NDArray[np.float32]]:
    """The training conditions and the mean delta of each. [conditions, genes]"""
    conditions = task.conditions("train")
    means = np.zeros((len(conditions), len(task.genes)), np.float32)
    for i in range(len(conditions)):
        means[i] = task.train_delta(conditions.rows(i)).mean(axis=0, dtype=np.float64)
    return conditions.table, means


def _drawn(seed: int, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if not most or len(rows) <= most:
        return rows
    return np.random.default_rng([seed, _DRAW, int(rows[0])]).choice(rows, most, replace=False)
