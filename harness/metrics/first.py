"""Panel `first`: error, correlation and coverage of condition effects, enough to see the whole line work."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, metric
from harness.metrics.scores import Scores

Effects = NDArray[np.float64]  # [conditions, genes]
PANEL = "first"
GNEITING = "Gneiting, Balabdaoui & Raftery 2007"
WIDTH = "reached by intervals that are far too wide for some genes and too narrow for others"


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference="root mean squared error",
    pathologies="dominated by the genes with the largest effects; predicting no effect is hard to beat",
)
def rmse(predicted: Effects, observed: Effects) -> Scores:
    r"""Root mean squared error of a condition's effect over genes: $\sqrt{\frac{1}{G}\sum_g(\hat\delta_g-\delta_g)^2}$."""
    return Scores(np.sqrt(np.square(predicted - observed).mean(axis=1)))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-1.0, 1.0),
    reference="Pearson 1895",
    pathologies="blind to scale; a mean effect that all perturbations share scores high",
)
def pearson_delta(predicted: Effects, observed: Effects) -> Scores:
    r"""Pearson correlation of predicted and observed effect over genes: $\mathrm{corr}_g(\hat\delta_g,\delta_g)$."""
    a = predicted - predicted.mean(axis=1, keepdims=True)
    b = observed - observed.mean(axis=1, keepdims=True)
    constant = {"the observed effect is constant over genes": _constant(observed)}
    constant["the predicted effect is constant over genes"] = _constant(predicted)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (a * b).sum(axis=1) / np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    reasons: dict[int, str] = {}
    for reason, where in constant.items():
        values[where] = np.nan
        reasons |= dict.fromkeys(np.flatnonzero(where).tolist(), reason)
    return Scores(np.clip(values, -1.0, 1.0), reasons)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.5,
    range=(0.0, 1.0),
    needs=("means", "variance"),
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_50(predicted: Effects, observed: Effects, variance: Effects) -> Scores:
    r"""Share of genes inside the central 50 % interval: $|\delta_g-\hat\delta_g|\le z_{0.75}\,\sigma_g$."""
    return _coverage(predicted, observed, variance, 0.5)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.8,
    range=(0.0, 1.0),
    needs=("means", "variance"),
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_80(predicted: Effects, observed: Effects, variance: Effects) -> Scores:
    r"""Share of genes inside the central 80 % interval: $|\delta_g-\hat\delta_g|\le z_{0.9}\,\sigma_g$."""
    return _coverage(predicted, observed, variance, 0.8)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.9,
    range=(0.0, 1.0),
    needs=("means", "variance"),
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_90(predicted: Effects, observed: Effects, variance: Effects) -> Scores:
    r"""Share of genes inside the central 90 % interval: $|\delta_g-\hat\delta_g|\le z_{0.95}\,\sigma_g$."""
    return _coverage(predicted, observed, variance, 0.9)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.95,
    range=(0.0, 1.0),
    needs=("means", "variance"),
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_95(predicted: Effects, observed: Effects, variance: Effects) -> Scores:
    r"""Share of genes inside the central 95 % interval: $|\delta_g-\hat\delta_g|\le z_{0.975}\,\sigma_g$."""
    return _coverage(predicted, observed, variance, 0.95)


def _coverage(predicted: Effects, observed: Effects, variance: Effects, level: float) -> Scores:
    z = NormalDist().inv_cdf((1 + level) / 2)
    undefined = np.asarray(np.isnan(variance).any(axis=1))
    inside = np.abs(observed - predicted) <= z * np.sqrt(np.where(undefined[:, None], 0.0, variance))
    values = np.where(undefined, np.nan, inside.mean(axis=1))
    reason = "the variance of the observed effect cannot be estimated from fewer than two cells"
    return Scores(values, dict.fromkeys(np.flatnonzero(undefined).tolist(), reason))


def _constant(effects: Effects) -> NDArray[np.bool_]:
    return np.asarray(effects.max(axis=1) == effects.min(axis=1))
