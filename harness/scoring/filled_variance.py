"""The variance of a submission that has none: how far training effects lie from their mean, gene by gene."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.splits.split import Split
from harness.tasks.means import row_mean

FLOOR = 0.05
FEWEST = 2


def filled_variance(effects: Iterable[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    r"""Cross-fitted mean squared residual of the train mean, floored at 5 % of its median over genes. [genes]

    Each condition is held against the mean of all others:
    $r_c = \delta_c - \bar\delta_{-c} = \frac{n}{n-1}(\delta_c - \bar\delta)$.
    It includes the sampling noise of the training effects, so it is an *observed* variance. None for fewer than two
    conditions.
    """
    n, mean, squares = 0, np.zeros(0), np.zeros(0)
    for effect in effects:
        n += 1
        if n == 1:
            mean, squares = np.zeros_like(effect), np.zeros_like(effect)
        gap = effect - mean
        mean = mean + gap / n
        squares = squares + gap * (effect - mean)
    if n < FEWEST:
        return None
    residual = squares / n * (n / (n - 1)) ** 2
    return np.maximum(residual, FLOOR * np.median(residual))


def train_effects(dataset: PerturbDataset, split: Split) -> Iterator[NDArray[np.float64]]:
    """The effect of every condition with role train: its mean − the mean of its context's pool B. [genes] each"""
    train = split.rows("train")
    of_row = dataset.conditions.of_row[train]
    order = np.argsort(of_row, kind="stable")
    indices, starts = np.unique(of_row[order], return_index=True)
    placed = split.role_codes() >= 0
    basal: dict[str, NDArray[np.float64]] = {}
    for index, rows in zip(indices.tolist(), np.split(train[order], starts[1:]), strict=True):
        if index < 0:
            continue
        context = dataset.conditions.table[index].context
        if context not in basal:
            reference = dataset.pool_rows(context, Pool.B)
            reference = reference[placed[reference]]
            basal[context] = (
                row_mean(dataset.X, reference) if len(reference) else np.zeros(dataset.meta.n_vars)
            )
        yield row_mean(dataset.X, rows) - basal[context]
