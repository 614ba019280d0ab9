"""Which part of the uncertainty is the model's ignorance and which the data's noise, inside and outside of training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, Undefined, Value, metric
from harness.metrics.forecasts import Forecasts
from harness.metrics.ood import NO_IID, NO_OOD
from harness.metrics.scores import Scores, defined

Array = NDArray[np.float64]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("variance",)
DEPEWEG = "Depeweg et al. 2018"
DRAWS = 1000
NO_PARTS = "the submission does not say which part of its variance is epistemic"
FILLED_PARTS = "a filled variance has no epistemic part"
NO_VARIANCE = "the submission claims no variance at all"
NO_RATIO = "this part is 0 in distribution"


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=DEPEWEG,
    pathologies="the split is the submission's own word",
)
def epistemic_share(forecasts: Forecasts) -> Scores:
    r"""Share of the claimed variance that is model uncertainty: $\sum_g\mathrm{epistemic}_g/\sum_g\mathrm{var}_g$."""
    everywhere = np.ones(len(forecasts), np.bool_)
    if forecasts.filled or forecasts.epistemic is None:
        reason = FILLED_PARTS if forecasts.filled else NO_PARTS
        return Scores.of(np.full(len(forecasts), np.nan), {reason: everywhere})
    whole = forecasts.claimed.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = forecasts.epistemic.sum(axis=1) / whole
    return Scores.of(values, {NO_VARIANCE: whole == 0})


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=DEPEWEG,
    unit="task",
    pathologies="should exceed 1 out of distribution, but any inflation does that",
)
def epistemic_ratio(inside: Array, outside: Array) -> Value:
    r"""Mean epistemic variance out of distribution over that in distribution: $\overline{e}_{ood}/\overline{e}_{iid}$."""
    return _ratio(inside, outside)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=DEPEWEG,
    unit="task",
    pathologies="contexts may differ in their noise",
)
def aleatoric_ratio(inside: Array, outside: Array) -> Value:
    r"""Mean aleatoric variance out of distribution over that in distribution: $\overline{a}_{ood}/\overline{a}_{iid}$."""
    return _ratio(inside, outside)


def parts(forecasts: Forecasts) -> Array:
    """Epistemic and aleatoric variance, mean over genes. [conditions, 2]; NaN where no parts are given."""
    if forecasts.filled or forecasts.epistemic is None:
        return np.full((len(forecasts), 2), np.nan)
    epistemic = forecasts.epistemic.mean(axis=1)
    aleatoric = np.maximum(forecasts.claimed - forecasts.epistemic, 0.0).mean(axis=1)
    return np.stack([epistemic, aleatoric], axis=1)


def ratio_interval(
    inside: Array, outside: Array, owners: tuple[NDArray[Any], NDArray[Any]], seed: int
) -> tuple[float, float] | None:
    """95 % bootstrap interval of a ratio, whole perturbations drawn on each side; None where a draw has no ratio."""
    rng = np.random.default_rng(seed)
    top = _drawn_means(outside, owners[1], rng)
    bottom = _drawn_means(inside, owners[0], rng)
    if (bottom <= 0).any():
        return None
    low, high = np.quantile(top / bottom, [0.025, 0.975])
    return float(low), float(high)


def _drawn_means(values: Array, owner: NDArray[Any], rng: np.random.Generator) -> Array:
    names, group = np.unique(owner, return_inverse=True)
    sums, counts = np.bincount(group, weights=values), np.bincount(group)
    drawn = rng.integers(len(names), size=(DRAWS, len(names)))
    return np.asarray(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))


def _ratio(inside: Array, outside: Array) -> Value:
    if not len(inside):
        return Undefined(NO_IID)
    if not len(outside):
        return Undefined(NO_OOD)
    below = float(inside.mean())
    return defined(float(outside.mean()) / below) if below > 0 else Undefined(NO_RATIO)
