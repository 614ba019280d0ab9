"""How far a condition lies from the training conditions, by what is known before its cells are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.metrics.ood import NEIGHBOURS
from harness.splits.split import Split
from harness.tasks.means import row_mean

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """Distance of asked conditions to the training ones."""

    values: NDArray[np.float64] | None  # [conditions]; None where nothing was trained on


def train_distance(
    dataset: PerturbDataset,
    split: Split,
    asked: Sequence[tuple[str, str]],
    *,
    targets: Mapping[str, Sequence[str]] | None = None,
) -> Distance:
    r"""Mean distance of each (context, perturbation) to its five nearest training conditions.

    $d^2 = \|b_c-b_{c'}\|^2 + s\,(1-J(T_p,T_{p'}))^2$, b the mean pool-A control of a context, J the Jaccard index of target
    genes (1 for one and the same perturbation), s the median of the first term over pairs of training contexts: both axes
    weigh the same. It needs no model: an uncertainty that detects no more than this distance has learned nothing.

    `targets`: the target genes of perturbations that the dataset does not hold.
    """
    of_row = dataset.conditions.of_row[split.rows("train")]
    table = [dataset.conditions.table[i] for i in np.unique(of_row[of_row >= 0]).tolist()]
    train = sorted({(one.context, one.pert) for one in table})
    if not train:
        return Distance(None)
    contexts = sorted({context for context, _ in (*train, *asked)})
    perts = sorted({pert for _, pert in (*train, *asked)})
    basal = _basal_distances(dataset, split, contexts)
    known = {**(targets or {}), **dataset.meta.perturbations}
    apart = _target_distances([set(known.get(pert, [])) for pert in perts])
    place = {name: i for i, name in enumerate(contexts)}, {name: i for i, name in enumerate(perts)}
    c, p = (np.array([place[axis][one[axis]] for one in train]) for axis in (0, 1))
    scale = _scale(basal, np.unique(c))
    nearest = min(NEIGHBOURS, len(train))
    found = [
        np.sort(np.sqrt(basal[place[0][context], c] + scale * apart[place[1][pert], p]))[:nearest].mean()
        for context, pert in asked
    ]
    return Distance(np.array(found, np.float64))


def _basal_distances(dataset: PerturbDataset, split: Split, contexts: Sequence[str]) -> Matrix:
    """Squared distances of mean controls, as models see them. [contexts, contexts]"""
    placed = split.role_codes() >= 0
    means = np.zeros((len(contexts), dataset.meta.n_vars))
    for mean, context in zip(means, contexts, strict=True):
        rows = dataset.pool_rows(context, Pool.A)
        rows = rows[placed[rows]]
        if len(rows):
            mean[:] = row_mean(dataset.X, rows)
    return np.array([np.square(means - mean).sum(axis=1) for mean in means])


def _target_distances(targets: Sequence[set[str]]) -> Matrix:
    """Squared Jaccard distances; perturbations without known targets are as far as can be. [perturbations, perturbations]"""
    genes = {gene: i for i, gene in enumerate(sorted(set().union(*targets)))}
    hot = np.zeros((len(targets), len(genes)), np.float32)
    for row, names in zip(hot, targets, strict=True):
        row[[genes[name] for name in names]] = 1
    shared = (hot @ hot.T).astype(np.float64)  # small whole numbers, exact in any order
    sizes = hot.sum(axis=1, dtype=np.float64)
    either = sizes[:, None] + sizes - shared
    apart = 1 - np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    np.fill_diagonal(apart, 0.0)
    return np.asarray(np.square(apart))


def _scale(basal: Matrix, train: NDArray[np.int64]) -> float:
    pairs = basal[np.ix_(train, train)][np.triu_indices(len(train), 1)]
    median = float(np.median(pairs)) if len(pairs) else 0.0
    return median if median > 0 else 1.0
