"""A baseline is one function, `fit(training, params) -> rule`; its variance is its own cross-fitted error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Condition, Predictions, Task
from perturbfm.conditions import Floats, Training, folds_of, novelty, read_training

NATIVE, EXTENDED, FALLBACK = 2, 1, 0
N_FOLDS = 5
EMBEDDED = 1000
FLOOR = 0.05
"""Least share of the raw squared error that is kept as variance when sampling noise is taken off."""

Answer = tuple[Floats, NDArray[np.uint8]]
"""Mean delta [conditions, genes] and how far the rule supports it (2 native, 1 extended, 0 fallback) [conditions]."""
Rule = Callable[[Sequence[Condition]], Answer]
Params = Mapping[str, Any]
Fit = Callable[[Training, Params], Rule]


@dataclass(frozen=True)
class Baseline:
    """A submission made of a rule on condition means."""

    fit: Fit
    tune: Callable[[Training, Params], Params] | None = None
    """Chooses parameters on training conditions before the fit."""

    def predict(self, task: Task) -> Predictions:
        """Predict each asked-for condition; its variance is the error on conditions that were new in the same way."""
        training, asked = read_training(task), task.conditions().table
        params = self.tune(training, task.params) if self.tune else task.params
        mean, supported = self.fit(training, params)(asked)
        kinds = novelty(training.table, asked)
        spread = {
            kind: cross_fitted_variance(self.fit, training, params, kind) for kind in sorted(set(kinds))
        }
        var = np.array([spread[kind] for kind in kinds])
        return Predictions.from_conditions(task, mean, var=var, supported=supported)


def folds(training: Training, axis: str) -> NDArray[np.int64]:
    """The fold in which a condition is left out. [conditions]"""
    return folds_of(training, axis, N_FOLDS)


def cross_fit(fit: Fit, training: Training, params: Params, axis: str) -> tuple[Floats, NDArray[np.int64]]:
    """Prediction errors of conditions that were left out of the fit, and which conditions those are."""
    fold = folds(training, axis)
    errors = np.zeros_like(training.delta)
    tested = np.zeros(len(fold), np.bool_)
    for number in range(int(fold.max(initial=-1)) + 1):
        out = fold == number
        held = [condition for condition, is_out in zip(training.table, out, strict=True) if is_out]
        errors[out] = fit(training.subset(~out), params)(held)[0] - training.delta[out]
        tested |= out
    return errors[tested], np.flatnonzero(tested)


def cross_fitted_variance(fit: Fit, training: Training, params: Params, axis: str) -> Floats:
    """Expected squared error of a condition's mean effect, per gene: left-out error less its sampling noise. [genes]

    The error of a context's control mean is on both sides of the comparison, unless the context itself was left out.
    Without any training condition there is nothing to learn the variance from, and it is 1.
    """
    errors, tested = cross_fit(fit, training, params, axis)
    if not len(tested):
        return np.ones(len(training.genes))
    noise = (1 / training.n_rows[tested]).mean()
    if axis == "context":
        noise += (1 / training.n_controls[tested]).mean()
    raw = (errors**2).mean(axis=0)
    floor = FLOOR * np.maximum(raw, raw.mean()) + 1e-12
    return np.asarray(np.maximum(raw - noise * training.spread, floor))


Key = Callable[[Condition], Hashable]
"""What two conditions must share to be answered alike; None where a condition has no answer of this kind."""


def by_perturbation(condition: Condition) -> Hashable:
    """The same perturbation, whatever the context or the dose."""
    return condition.pert


def by_intervention(condition: Condition) -> Hashable:
    """The same perturbation at the same dose, time, …"""
    return condition.pert, condition.covariates


def means_by(training: Training, key: Key) -> dict[Hashable, Floats]:
    """Mean delta of the training conditions that share a key. [genes] each"""
    groups = defaultdict(list)
    for i, condition in enumerate(training.table):
        groups[key(condition)].append(i)
    return {name: training.delta[rows].mean(axis=0) for name, rows in groups.items() if name is not None}


def lookup(training: Training, keys: Sequence[tuple[Key, int]]) -> Rule:
    """Answer with the mean over training conditions that share the first key that any shares; else the train mean."""
    tables = [(key, support, means_by(training, key)) for key, support in keys]
    fallback = training.mean()

    def rule(asked: Sequence[Condition]) -> Answer:
        answers = [
            next(((t[key(c)], support) for key, support, t in tables if key(c) in t), (fallback, FALLBACK))
            for c in asked
        ]
        return stack([mean for mean, _ in answers], [support for _, support in answers], len(fallback))

    return rule


def stack(means: Sequence[Floats], support: Sequence[int], n_genes: int) -> Answer:
    """Answers of single conditions as one."""
    return np.array(means).reshape(len(means), n_genes), np.array(support, np.uint8)


def part_effects(training: Training) -> Callable[[Condition], list[Floats]]:
    """For a condition, the mean deltas of its genes' single perturbations that were seen: in its context, else in any."""
    here = means_by(training, lambda c: (c.genes[0], c.context) if len(c.genes) == 1 else None)
    anywhere = means_by(training, lambda c: c.genes[0] if len(c.genes) == 1 else None)

    def parts(condition: Condition) -> list[Floats]:
        found = (here.get((gene, condition.context), anywhere.get(gene)) for gene in condition.genes)
        return [effect for effect in found if effect is not None]

    return parts


def gene_embedding(training: Training, n: int) -> dict[str, Floats]:
    """Coordinates of each gene on the n principal axes of training pseudobulk, of mean squared length 1. [n] each

    At most `EMBEDDED` conditions, evenly spaced, stand for all.
    """
    few = range(0, len(training.table), 1 + len(training.table) // EMBEDDED)
    profiles = [training.state(training.table[i].context) + training.delta[i] for i in few]
    axes = principal_axes(np.array([*profiles, *training.states.values()]), n)
    scale = np.sqrt((axes**2).sum(axis=0).mean()) if axes.size else 1.0
    return dict(zip(training.genes, (axes / scale).T, strict=True))


def principal_axes(X: Floats, n: int) -> Floats:
    """The first n principal axes of the rows, fewer where there are fewer. [n, columns]"""
    centred = X - X.mean(axis=0)
    power, left = np.linalg.eigh(centred @ centred.T)
    keep = np.flatnonzero(power > 1e-10 * max(power.max(initial=0.0), 1e-30))[::-1][:n]
    return np.asarray((left[:, keep] / np.sqrt(power[keep])).T @ centred)


def sum_of_parts(training: Training, factor: float = 1.0) -> Rule:
    """A combination all of whose parts were seen gets the factor times their sum; all else the mean of its perturbation."""
    parts = part_effects(training)
    known = lookup(training, [(by_intervention, NATIVE), (by_perturbation, EXTENDED)])

    def rule(asked: Sequence[Condition]) -> Answer:
        mean, support = known(asked)
        for i, condition in enumerate(asked):
            found = parts(condition)
            if len(found) == len(condition.genes) > 1:
                mean[i], support[i] = factor * np.sum(found, axis=0), EXTENDED
        return mean, support

    return rule
