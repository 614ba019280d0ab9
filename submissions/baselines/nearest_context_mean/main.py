"""The mean delta of a perturbation over training contexts, weighted by the likeness of their controls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from perturbfm.baseline import EXTENDED, FALLBACK, NATIVE, Answer, Baseline, Params, Rule, stack
from perturbfm.conditions import Floats, Training

from harness.sdk import Condition


def fit(training: Training, params: Params) -> Rule:
    """Weight exp(−d²/h), d² between control states, h = bandwidth × the median d² of two contexts."""
    states = np.array(list(training.states.values()))
    distances = ((states[:, None] - states[None]) ** 2).sum(axis=2)
    typical = distances[np.triu_indices(len(states), 1)]
    h = params["bandwidth"] * float(np.median(typical)) if typical.any() else 1.0
    same_dose, same = defaultdict(list), defaultdict(list)
    for i, condition in enumerate(training.table):
        same_dose[condition.pert, condition.covariates].append(i)
        same[condition.pert].append(i)

    def weighted(condition: Condition, rows: list[int]) -> Floats:
        here = training.state(condition.context)
        away = np.array([((training.state(training.table[i].context) - here) ** 2).sum() for i in rows])
        weight = np.exp(-(away - away.min()) / h)
        return np.asarray(weight @ training.delta[rows] / weight.sum())

    def rule(asked: Sequence[Condition]) -> Answer:
        means, support = [], []
        for condition in asked:
            exact = same_dose.get((condition.pert, condition.covariates))
            rows = exact or same.get(condition.pert)
            means.append(weighted(condition, rows) if rows else training.mean())
            support.append(NATIVE if exact else EXTENDED if rows else FALLBACK)
        return stack(means, support, len(training.genes))

    return rule


submission = Baseline(fit)
