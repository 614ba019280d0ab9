"""What a graph says an unseen perturbation does: each gene answers, by a factor of its own, to how much reaches it.

In fold changes: a_p = κ 1_p + Σ_f θ_f ⊙ reach_f(p), reach_f(p) the perturbed genes carried one and two steps over a graph or
its reverse, of unit length; κ is one number for all perturbed genes, θ a ridge for each gene, and a graph speaks only if it
tells perturbations left out better than silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from harness.sdk import Condition, Task
from perturbfm.conditions import Floats, Training, folds_of

SECOND = 0.5
"""Weight of the second step beside the first."""
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
N_FOLDS = 5
MOST_READ = 4
"""Graphs, and their reverses, that are read at most."""


@dataclass(frozen=True)
class Reached:
    """What every perturbed gene reaches, by graph. [genes] each"""

    genes: Mapping[str, int]
    features: Mapping[str, Mapping[str, Floats]]
    """By graph or its reverse, then by perturbed gene."""

    @classmethod
    def of(cls, task: Task, perturbed: Sequence[str], graphs: str) -> Reached:
        """`graphs` as in a design: none, single or multi."""
        names = [] if graphs == "none" else list(task.graphs)[: 1 if graphs == "single" else None]
        features: dict[str, Mapping[str, Floats]] = {}
        for name in names:
            graph = task.graphs[name]
            n = len(graph.genes)
            matrix = sp.csr_matrix((graph.data.astype(np.float64), graph.indices, graph.indptr), shape=(n, n))
            places = {gene: i for i, gene in enumerate(graph.genes)}
            columns = np.array([places.get(gene, n) for gene in task.genes])
            for way, carried in ((name, matrix), (f"{name} reversed", matrix.T.tocsr())):
                features[way] = _carried(carried, places, columns, perturbed)
        return cls(dict(task.gene_index), features)

    def of_conditions(self, name: str, table: Sequence[Condition]) -> Floats:
        """Sum over the perturbed genes. [conditions, genes]"""
        found = np.zeros((len(table), len(self.genes)))
        for i, condition in enumerate(table):
            for gene in condition.genes:
                if gene in self.features[name]:
                    found[i] += self.features[name][gene]
        return found

    def targets(self, table: Sequence[Condition]) -> Floats:
        """1 for a measured gene that is perturbed itself. [conditions, genes]"""
        found = np.zeros((len(table), len(self.genes)))
        for i, condition in enumerate(table):
            found[i, [self.genes[gene] for gene in condition.genes if gene in self.genes]] = 1.0
        return found


def _carried(
    matrix: sp.csr_matrix, places: Mapping[str, int], columns: np.ndarray, perturbed: Sequence[str]
) -> dict[str, Floats]:
    found = {}
    for gene in perturbed:
        if gene not in places:
            continue
        first = matrix[[places[gene]]]
        reached = np.append(np.asarray((first + SECOND * (first @ matrix)).todense()).ravel(), 0.0)
        reached[places[gene]] = 0.0
        length = np.sqrt(np.mean(reached[:-1] ** 2))
        if length > 0:
            found[gene] = reached[columns] / length
    return found


@dataclass(frozen=True)
class Readout:
    """κ and θ. Its answers are fold changes, before the sensitivity of a context."""

    reached: Reached
    kappa: float
    theta: Mapping[str, Floats]

    def of(self, table: Sequence[Condition]) -> Floats:
        """[conditions, genes]"""
        found = self.kappa * self.reached.targets(table)
        for name, factor in self.theta.items():
            found += factor * self.reached.of_conditions(name, table)
        return found


def read_out(training: Training, rest: Floats, scale: Floats) -> Readout | None:
    """Fit to what conditions do beyond the shared effect, `rest`, where a fold change of 1 is worth `scale`."""
    reached = training.reached
    if reached is None:
        return None
    table, fold = training.table, folds_of(training, "perturbation", N_FOLDS)
    targets = reached.targets(table) * scale
    power = float((targets**2).sum())
    kappa = float((targets * rest).sum()) / power if power > 0 else 0.0
    left = rest - kappa * targets
    unit = np.sqrt((left**2).mean(axis=0)) + 1e-9
    theta: dict[str, Floats] = {}
    waiting = {name: reached.of_conditions(name, table) * scale for name in reached.features}
    while waiting and len(theta) < MOST_READ:
        tried = {name: _best_ridge(left, feature, fold, unit) for name, feature in waiting.items()}
        name = min(tried, key=lambda key: tried[key][0])
        error, ridge = tried[name]
        if error >= _error(left, unit):
            break
        feature = waiting.pop(name)
        theta[name] = _slopes(left, feature, ridge)
        left = left - theta[name] * feature
    return Readout(reached, kappa, theta)


def _slopes(left: Floats, feature: Floats, ridge: float) -> Floats:
    return _solved((feature * left).sum(axis=0), (feature**2).sum(axis=0), ridge)


def _solved(product: Floats, power: Floats, ridge: float) -> Floats:
    typical = float(power[power > 0].mean()) if power.any() else 1.0
    return np.asarray(product / (power + ridge * typical / 3))


def _best_ridge(left: Floats, feature: Floats, fold: np.ndarray, unit: Floats) -> tuple[float, float]:
    """The least error on perturbations left out, and the ridge that has it; from sums over folds, each row read once."""
    outs = [fold == number for number in np.unique(fold)]
    product = np.array([(feature[out] * left[out]).sum(axis=0) for out in outs])
    power = np.array([(feature[out] ** 2).sum(axis=0) for out in outs])
    before = _error(left, unit)
    errors = []
    for ridge in RIDGES:
        gain = np.zeros(len(unit))
        for own_product, own_power in zip(product, power, strict=True):
            theta = _solved(product.sum(axis=0) - own_product, power.sum(axis=0) - own_power, ridge)
            gain += theta * (2 * own_product - theta * own_power)
        errors.append(before - float((gain / unit**2).sum()) / left.size)
    best = int(np.argmin(errors))
    return errors[best], RIDGES[best]


def _error(left: Floats, unit: Floats) -> float:
    return float(((left / unit) ** 2).mean())
