"""The baselines that a network may start from, and how one is chosen: by its error on training conditions left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.sdk import Condition
from perturbfm.baseline import (
    EXTENDED,
    NATIVE,
    Answer,
    Fit,
    Params,
    Rule,
    by_intervention,
    by_perturbation,
    cross_fit,
    folds,
    lookup,
    part_effects,
    sum_of_parts,
)
from perturbfm.conditions import Floats, Training
from perturbfm.folds import fold_mean, near_fold_mean


def zero(training: Training, params: Params) -> Rule:
    """No effect."""

    def rule(asked: Sequence[Condition]) -> Answer:
        return np.zeros((len(asked), len(training.genes))), np.zeros(len(asked), np.uint8)

    return rule


def train_mean(training: Training, params: Params) -> Rule:
    """The mean over all training conditions."""
    return lookup(training, [])


def perturbation_mean(training: Training, params: Params) -> Rule:
    """The mean of the perturbation over training contexts, else the train mean."""
    return lookup(training, [(by_intervention, NATIVE), (by_perturbation, EXTENDED)])


def scaled_additive(training: Training, params: Params) -> Rule:
    """Combinations: the sum of their parts times one factor, least squares over training combinations."""
    parts = part_effects(training)
    product = power = 0.0
    for condition, delta in zip(training.table, training.delta, strict=True):
        found = parts(condition)
        if len(found) == len(condition.genes) > 1:
            total = np.sum(found, axis=0)
            product += float(total @ delta)
            power += float(total @ total)
    return sum_of_parts(training, factor=product / power if power > 0 else 1.0)


def shrunk(fit: Fit) -> Fit:
    """The train mean and κ of what a start departs from it; κ in [0, 1] is least squares on conditions left out."""

    def fitted(training: Training, params: Params) -> Rule:
        rule, mean = fit(training, params), training.mean()
        departure = left_out(fit, training) - mean
        power = float((departure**2).sum())
        kappa = (
            float(np.clip((departure * (training.delta - mean)).sum() / power, 0, 1)) if power > 0 else 0.0
        )

        def answer(asked: Sequence[Condition]) -> Answer:
            found, support = rule(asked)
            return mean + kappa * (found - mean), support

        return answer

    return fitted


STARTS: dict[str, Fit] = {
    "zero": zero,
    "train_mean": train_mean,
    "perturbation_mean": perturbation_mean,
    "scaled_additive": scaled_additive,
    "shrunk_mean": shrunk(perturbation_mean),
    "shrunk_additive": shrunk(scaled_additive),
    "fold_mean": fold_mean,
    "near_fold_mean": near_fold_mean,
}
FOLD_STARTS = ("fold_mean", "near_fold_mean")
"""Those that speak of fold changes: networks that start from them do too."""


def choose_start(training: Training, names: Sequence[str]) -> str:
    """The start with the least squared error on conditions new in the way of the task; the first of equals."""
    unknown = [name for name in names if name not in STARTS]
    if unknown or not names:
        raise ValueError(
            f"unknown start {', '.join(unknown) or 'list that is empty'}; any of {', '.join(STARTS)}"
        )
    if len(names) == 1:
        return names[0]
    errors = [(cross_fit(STARTS[name], training, {}, training.axis)[0] ** 2).sum() for name in names]
    return names[int(np.argmin(errors))]


def left_out(fit: Fit, training: Training) -> Floats:
    """What the start says of each training condition when its own unit is left out, as for an asked-for condition.

    Conditions that the axis never leaves out (singles, where combinations are new) are left out one by one.
    """
    answers = np.zeros_like(training.delta)
    fold = folds(training, training.axis)
    rest = fold < 0
    if rest.any():
        fold = np.where(rest, fold.max(initial=-1) + 1 + folds(training, "condition"), fold)
    for number in np.unique(fold):
        out = fold == number
        held = [condition for condition, is_out in zip(training.table, out, strict=True) if is_out]
        answers[out] = fit(training.subset(~out), {})(held)[0]
    return answers
