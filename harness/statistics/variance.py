"""How uncertain a mean over contexts is: variance by the factors that a repetition would draw anew, with its freedom.

A repetition of the study would meet other contexts, other perturbations and other training seeds. They cross, so their
variances add (Cameron, Gelbach & Miller 2011, multi-way clustering); each is known with the freedom of its own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from harness.statistics.design import Design, Floats

Scope = Literal["new contexts", "these contexts"]
UPPER = 0.975
"""The quantile at which several freedoms are put together: that of a 95 % interval."""
GRID = np.concatenate([np.arange(1, 10, 0.05), np.geomspace(10, 1e6, 400)])
"""Degrees of freedom that the common one is looked up among."""


@dataclass(frozen=True)
class Clustered:
    """Estimates with the variance of each. [metrics]"""

    estimate: Floats
    variance: Floats
    freedom: Floats
    """Degrees of freedom of Student's t for the whole variance."""
    contexts: Floats
    """Part of the variance that contexts (or the conditions within them) account for."""
    perturbations: Floats
    """Part that is due to perturbations being the same ones in several contexts."""
    seeds: Floats
    """Part that all conditions of a training seed share."""


def clustered(ours: Floats, theirs: Floats | None, design: Design, scope: Scope) -> Clustered:
    """Mean difference of two sides and its variance.

    Sides are [conditions, seeds, metrics], of any number of seeds each; without `theirs` the mean of one side. Every value
    is defined. A variance that one unit alone would have to tell is NaN.
    """
    mean = ours.mean(axis=1) if theirs is None else ours.mean(axis=1) - theirs.mean(axis=1)
    estimate = np.asarray(design.weights @ mean)
    basis, freedom = _between(mean, design) if scope == "new contexts" else _within(mean, design)
    shared = _shared_perturbations(mean, design)
    parts = [(basis, freedom), (shared, np.full_like(shared, max(design.n_perturbations - 1, 1)))]
    sides = [side for side in (ours, theirs) if side is not None and side.shape[1] > 1]
    for side in sides:
        found = _seed_part(side, design, scope)
        parts.append((found, np.full_like(found, side.shape[1] - 1)))
    variance = np.sum([part for part, _ in parts], axis=0)
    seeds = np.sum([part for part, _ in parts[2:]], axis=0) if sides else np.zeros_like(variance)
    return Clustered(estimate, variance, _freedom(parts, variance), basis, shared, seeds)


def _between(mean: Floats, design: Design) -> tuple[Floats, Floats]:
    """From the scatter of context means, which holds that of conditions within contexts already."""
    n = design.n_contexts
    if n < 2:
        return np.full(mean.shape[1], np.nan), np.ones(mean.shape[1])
    of_contexts = design.averages @ mean
    return np.asarray(of_contexts.var(axis=0, ddof=1) / n), np.full(mean.shape[1], n - 1.0)


def _within(mean: Floats, design: Design) -> tuple[Floats, Floats]:
    """From the scatter of conditions within contexts; the contexts themselves are taken as they are."""
    left = mean - (design.averages @ mean)[design.contexts]
    squares = design.sizes[:, None] * (design.averages @ np.square(left))  # [contexts, metrics]
    freedom = design.sizes - 1.0
    if freedom.sum() == 0:
        return np.full(mean.shape[1], np.nan), np.ones(mean.shape[1])
    if (freedom == 0).any():  # a context of one condition borrows the scatter of the others
        pooled = squares.sum(axis=0) / freedom.sum()
        total = pooled * np.square(design.weights).sum()
        return np.asarray(total), np.full(mean.shape[1], freedom.sum())
    parts = squares / freedom[:, None] / design.sizes[:, None] / design.n_contexts**2
    total = parts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.square(total) / (np.square(parts) / freedom[:, None]).sum(axis=0)
    return np.asarray(total), np.where(total > 0, found, freedom.sum())


def _shared_perturbations(mean: Floats, design: Design) -> Floats:
    """Products of a perturbation's residuals in different contexts: what it carries from one to the other."""
    if not design.crossed or design.n_perturbations < 2 or design.n_contexts < 2:
        return np.zeros(mean.shape[1])
    left = mean - (design.averages @ mean)[design.contexts]
    weighed = left * design.weights[:, None]
    own = np.zeros((int(design.cells().max()) + 1, mean.shape[1]))
    np.add.at(own, design.cells(), weighed)
    products = np.square(design.by_perturbation(weighed)).sum(axis=0) - np.square(own).sum(axis=0)
    correction = design.n_perturbations / (design.n_perturbations - 1)
    return np.asarray(np.maximum(products * correction, 0.0))


def _seed_part(side: Floats, design: Design, scope: Scope) -> Floats:
    """Scatter of the seeds' overall means beyond what their conditions' own noise explains."""
    seeds = side.shape[1]
    overall = np.einsum("i,ism->sm", design.weights, side)
    if scope == "new contexts":
        units = np.einsum("ci,ism->csm", design.averages, side)
        weights = np.full(design.n_contexts, 1.0 / design.n_contexts)
    else:
        units, weights = side, design.weights
    left = units - units.mean(axis=1, keepdims=True) - (overall - overall.mean(axis=0))[None]
    spread = np.square(left).sum(axis=1) / (seeds - 1)  # [units, metrics]
    noise = np.square(weights) @ spread * len(weights) / max(len(weights) - 1, 1)
    return np.asarray(np.maximum(overall.var(axis=0, ddof=1) - noise, 0.0) / seeds)


def _freedom(parts: list[tuple[Floats, Floats]], variance: Floats) -> Floats:
    """The freedom whose t is the mean of the parts' own quantiles, each weighed by its part (Cochran).

    Satterthwaite's formula trusts a part of two degrees of freedom too much whenever it happens to come out small.
    """
    weighed = np.sum([part * stdtrit(freedom, UPPER) for part, freedom in parts], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = weighed / variance
    found = np.interp(-wanted, -stdtrit(GRID, UPPER), GRID)
    return np.where(variance > 0, found, parts[0][1])
