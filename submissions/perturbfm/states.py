"""Control states as a network sees them, and resampled ones so that it learns how uncertain they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Task
from perturbfm.conditions import Training

MOST_CELLS = 64


class States:
    """The mean control expression of each context, standardised over contexts."""

    def __init__(self, task: Task, training: Training) -> None:
        self.X = np.asarray(task.train.X)
        """Still on disk, without the class of a memory map, which slows each reading."""
        self.names = list(training.states)
        states = np.array([training.states[name] for name in self.names])
        self.centre = states.mean(axis=0)
        between = np.sqrt(states.var(axis=0))
        self.scale = between + max(float(between.mean()), 1e-3)
        """Genes whose controls hardly differ between contexts stay small."""
        self.means = ((states - self.centre) / self.scale).astype(np.float32)
        self.position = {name: i for i, name in enumerate(self.names)}
        controls = np.flatnonzero(task.train.obs["is_control"])
        contexts = task.train.obs["context_id"][controls]
        self.rows = [controls[contexts == name] for name in self.names]

    def indices(self, contexts: Sequence[str]) -> NDArray[np.int64]:
        """The place of each context, −1 for one without any control. [contexts]"""
        return np.array([self.position.get(name, -1) for name in contexts], np.int64)

    def of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """States by place; the average one where there is none. [indices, genes]"""
        known = (indices >= 0)[:, None]
        return np.where(known, self.means[indices], np.float32(0))

    def resampled(self, indices: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
        """States whose cells were drawn anew, with replacement, once for each context of the batch. [indices, genes]

        No more than `MOST_CELLS` rows of a context are read from the memory-mapped table.
        """
        contexts, place = np.unique(indices, return_inverse=True)
        states = self.of(contexts)
        for i, index in enumerate(contexts):
            rows = self.rows[index] if index >= 0 else np.zeros(0, np.int64)
            if len(rows) > 1:
                chosen = np.sort(rows[rng.integers(len(rows), size=min(len(rows), MOST_CELLS))])
                states[i] = (self.X[chosen].sum(axis=0) / len(chosen) - self.centre) / self.scale
        return states[place]
