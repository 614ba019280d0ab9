"""What training effects say without any model: their mean, and how far they lie from it.

The second is the variance of a submission that has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.splits.split import Split
from harness.tasks.means import row_mean

FLOOR = 0.05
FEWEST = 2


class TrainEffect(NamedTuple):
    """The effect of one training condition."""

    pert: str
    effect: NDArray[np.float64]  # [genes]


@dataclass(frozen=True)
class Training:
    """Statistics of the effects of all training conditions."""

    n: int
    mean: NDArray[np.float64]  # [genes]; zeros where nothing was trained on
    variance: NDArray[np.float64] | None  # [genes]; cross-fitted mean squared residual, floored
    perturbations: Mapping[str, NDArray[np.float64]]
    """Mean effect of each perturbation over contexts. [genes] each"""

    @property
    def centre(self) -> NDArray[np.float64] | None:
        """The mean training effect; None where nothing was trained on."""
        return self.mean if self.n else None


def training_statistics(effects: Iterable[TrainEffect], n_genes: int) -> Training:
    r"""Mean effect, and the cross-fitted mean squared residual, floored at 5 % of its median over genes.

    Each condition is held against the mean of all others:
    $r_c = \delta_c - \bar\delta_{-c} = \frac{n}{n-1}(\delta_c - \bar\delta)$.
    It includes the sampling noise of the training effects, so it is an *observed* variance. None for fewer than two
    conditions.
    """
    n, mean, squares = 0, np.zeros(n_genes), np.zeros(n_genes)
    sums: dict[str, NDArray[np.float64]] = {}
    counts: Counter[str] = Counter()
    for pert, effect in effects:
        n += 1
        counts[pert] += 1
        sums[pert] = sums[pert] + effect if pert in sums else effect
        gap = effect - mean
        mean = mean + gap / n
        squares = squares + gap * (effect - mean)
    means = {pert: total / counts[pert] for pert, total in sums.items()}
    if n < FEWEST:
        return Training(n, mean, None, means)
    residual = squares / n * (n / (n - 1)) ** 2
    return Training(n, mean, np.maximum(residual, FLOOR * np.median(residual)), means)


def train_effects(dataset: PerturbDataset, split: Split) -> Iterator[TrainEffect]:
    """The effect of every condition with role train: its mean − the mean of its context's pool B."""
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
        effect = row_mean(dataset.X, rows) - basal[context]
        yield TrainEffect(dataset.conditions.table[index].pert, effect)
