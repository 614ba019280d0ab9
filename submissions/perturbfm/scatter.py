"""How single cells scatter about the mean of their condition, in a few principal axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.sdk import Condition, Task
from perturbfm.baseline import principal_axes
from perturbfm.conditions import Floats

MOST_ROWS = 4096
FOR_AXES = 800


@dataclass(frozen=True)
class Scatter:
    """Residuals of training cells, perturbed and control, each axis in units of the perturbed cells' spread."""

    axes: Floats
    """[axes, genes], of unit length"""
    scale: Floats
    """[axes]"""
    target: Tensor
    """Of perturbed cells. [rows, axes]"""
    condition: Tensor
    """Which of `table` a perturbed cell is of. [rows]"""
    controls: Tensor
    """Of control cells, some of each context. [contexts, n, axes]"""
    context: Tensor
    """Which controls a perturbed cell would have been. [rows]"""
    table: list[Condition]

    @classmethod
    def of(cls, task: Task, n_axes: int) -> Scatter | None:
        """None where conditions or controls have no replicates: then there is no scatter to learn."""
        obs = task.train.obs
        found = task.conditions("train")
        perturbed = task.perturbed_rows
        rows, group = _replicated(perturbed, found.of_row[perturbed])
        contexts = obs["context_id"].astype(str)
        bare = np.flatnonzero(obs["is_control"])
        controls, of = _replicated(bare, np.unique(contexts[bare], return_inverse=True)[1])
        shared = np.isin(contexts[rows], np.unique(contexts[controls]))
        rows, group = rows[shared], group[shared]
        if not len(rows):
            return None
        target = _residuals(task.train.X[rows], group)
        source = _residuals(task.train.X[controls], of)
        few = np.linspace(0, len(target) - 1, min(len(target), FOR_AXES)).astype(np.int64)
        axes = principal_axes(target[few], n_axes)
        axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        scale = (target @ axes.T).std(axis=0) + 1e-6
        names = [contexts[row] for row in controls]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        number = np.array([numbers[name] for name in names])
        least = max(np.bincount(number))
        pools = [
            source[np.resize(np.flatnonzero(number == i), least)] @ axes.T / scale for i in numbers.values()
        ]
        table = [found.table[i] for i in np.unique(group)]
        return cls(
            axes,
            scale,
            _tensor(target @ axes.T / scale),
            torch.from_numpy(np.unique(group, return_inverse=True)[1]),
            _tensor(np.array(pools)),
            torch.tensor([numbers[contexts[row]] for row in rows]),
            table,
        )

    def of_cells(self, X: NDArray[np.float32]) -> Tensor:
        """Residuals of the cells of one condition about their mean. [rows, axes]"""
        values = X.astype(np.float64)
        return _tensor((values - values.mean(axis=0)) @ self.axes.T / self.scale)

    def change(self, before: Tensor, after: Tensor) -> Floats:
        """What turns residuals into others, without moving their mean. [rows, genes]"""
        moved = (after - before).double().numpy()
        return np.asarray((moved - moved.mean(axis=0)) * self.scale @ self.axes)


def _replicated(
    rows: NDArray[np.int64], group: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Some rows of each group that has at least two, about `MOST_ROWS` of all, in order."""
    count = np.bincount(group, minlength=1)
    groups = np.flatnonzero(count >= 2)
    groups = groups[:: 1 + len(groups) // (MOST_ROWS // 2)]
    each = MOST_ROWS // max(len(groups), 1)
    kept = [np.flatnonzero(group == number) for number in groups]
    chosen = [part[np.linspace(0, len(part) - 1, min(len(part), each)).astype(np.int64)] for part in kept]
    places = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
    return rows[places], group[places]


def _residuals(X: NDArray[np.float32], group: NDArray[np.int64]) -> Floats:
    """Each row less the mean of its group, widened for the degree of freedom that the mean took."""
    number = np.unique(group, return_inverse=True)[1]
    count = np.bincount(number)
    total = np.zeros((len(count), X.shape[1]))
    np.add.at(total, number, X)
    n = count[number][:, None]
    return np.asarray((X - total[number] / n) * np.sqrt(n / np.maximum(n - 1, 1)))


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
