"""Calibrated error and correlation of effects: disjoint controls, own targets left out, noise of the truth taken off."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.correlation import pearson
from harness.metrics.differential import welch_scores
from harness.metrics.inputs import ConditionEffects
from harness.metrics.moments import Moments
from harness.metrics.pooling import ratio_of_sums

PANEL: Final = "calibrated"
Profile = NDArray[np.float64]
Genes = NDArray[np.int64]
NO_NOISE = "the noise of the observed effect cannot be estimated from fewer than two cells"
NO_EFFECT = "the observed effect is not larger than its noise"
NO_HALVES = "there are fewer than two observed cells in each half"


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference="mean squared error",
    may_rank=True,
    pathologies="holds the noise of the truth, which no prediction can remove; few genes move and the others add noise",
)
def mse(effects: ConditionEffects) -> Value:
    r"""Mean squared error of the effect, own targets left out: $\frac{1}{G}\sum_g(\hat\delta_g-\delta_g)^2$."""
    genes = kept_genes(effects)
    return float(np.square(effects.predicted[genes] - effects.observed[genes]).mean())


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference="Shift 2025 (weights); cross-fitted here",
    needs=("means", "cells"),
    may_rank=True,
    pathologies="half of the cells are the truth, so its noise is twice that of mse; scale it by the controls",
)
def wmse(effects: ConditionEffects) -> Value:
    r"""Weighted squared error: $\sum_g w_g(\hat\delta_g-\delta_g)^2$, $w_g\propto(|t_g|-\min|t|)^2$, $\sum_g w_g=1$.

    Weights come from one half of the cells and the truth from the other, averaged over both ways. t is the Welch score
    against the other perturbations of the context, or against its controls where there are none.
    """
    against = effects.rest if effects.rest is not None and effects.rest.n >= 2 else effects.reference
    if effects.halves is None or effects.cells is None or min(half.n for half in effects.halves) < 2:
        return Undefined(NO_HALVES)
    if against is None or against.n < 2:
        return Undefined("there are neither other perturbations nor controls to score genes against")
    genes = kept_genes(effects)
    errors = []
    for scored, truth in (effects.halves, effects.halves[::-1]):
        weights = de_weights(welch_scores(scored, against)[genes])
        if weights is None:
            return Undefined("all genes have the same differential expression score")
        half_effect = effects.observed + (truth.mean - effects.cells.mean)
        errors.append(float((weights * np.square(effects.predicted - half_effect)[genes]).sum()))
    return math.fsum(errors) / 2


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(-np.inf, np.inf),
    reference="vcc2026 (noise-corrected error ratio); the submission's noise is never taken off",
    needs=("means", "cells"),
    may_rank=True,
    pathologies="heavy-tailed where the effect is hardly larger than its noise: levels pool it as a ratio of sums",
)
def error_ratio(effects: ConditionEffects) -> Value:
    r"""Squared error beyond noise over that of no effect: $(\|\hat\delta-\delta\|^2-C)/(\|\delta\|^2-C)$, 0 is perfect.

    The noise of the truth is $C=\sum_g s^2_{T,g}/n_T+s^2_{B,g}/n_B$.
    """
    parts = error_parts(effects)
    return parts if isinstance(parts, Undefined) else ratio_of_sums([parts], NO_EFFECT)


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-1.0, 1.0),
    reference="Pearson 1895, with disjoint controls",
    pathologies="blind to scale; an effect that all perturbations share scores high",
)
def pcc_delta(effects: ConditionEffects) -> Value:
    r"""$\mathrm{corr}_g(m_T-m_B,m_P-m_A)$: truth against pool B, prediction against its own controls, no own target."""
    genes = kept_genes(effects)
    return pearson(
        effects.observed[genes], effects.predicted[genes], of=("the observed effect", "the predicted effect")
    )


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-1.0, 1.0),
    reference="Systema 2025",
    may_rank=True,
    pathologies="where training and test mean differ, both sides share the difference: read it beside its permutation null",
)
def pcc_delta_centred(effects: ConditionEffects) -> Value:
    r"""As `pcc_delta`, after the mean training effect is taken off both sides: $\mathrm{corr}_g(\hat\delta-m,\delta-m)$."""
    if effects.train is None:
        return Undefined("there is no mean training effect")
    genes = kept_genes(effects)
    sides = [(effect - effects.train)[genes] for effect in (effects.observed, effects.predicted)]
    return pearson(*sides, of=("the observed effect beyond the mean", "the predicted effect beyond the mean"))


METRICS = (mse, wmse, error_ratio, pcc_delta, pcc_delta_centred)
NAMES = ("mse", "wmse", "error_ratio", "pcc_delta", "pcc_delta_centred")


def condition_values(effects: ConditionEffects) -> dict[str, Value]:
    """Every value of one condition against one reference."""
    return {name: function(effects) for name, function in zip(NAMES, METRICS, strict=True)}


def error_parts(effects: ConditionEffects) -> tuple[float, float] | Undefined:
    """Numerator and denominator of `error_ratio`, to be pooled over conditions."""
    if effects.cells is None or effects.cells.n < 2:
        return Undefined(NO_NOISE)
    noise = effects.cells.variance / effects.cells.n
    if effects.reference is not None:
        if effects.reference.n < 2:
            return Undefined("the noise of the reference cannot be estimated from fewer than two controls")
        noise = noise + effects.reference.variance / effects.reference.n
    genes = kept_genes(effects)
    taken_off = float(noise[genes].sum())
    error = float(np.square(effects.predicted - effects.observed)[genes].sum())
    return error - taken_off, float(np.square(effects.observed)[genes].sum()) - taken_off


def de_weights(scores: Profile) -> Profile | None:
    """Min–max scaled |score|, squared, of sum one; None where all scores are equal. Infinite scores count as the largest."""
    size = np.abs(scores)
    finite = size[np.isfinite(size)]
    size = np.minimum(size, finite.max() if len(finite) else 0.0)
    span = np.ptp(size) if len(size) else 0.0
    if span == 0:
        return None
    weights = np.square((size - size.min()) / span)
    return np.asarray(weights / weights.sum(), np.float64)


def without(total: Moments, part: Moments) -> Moments:
    """Moments of what is left of a group when a part of it is taken out."""
    n = total.n - part.n
    if n == 0:
        return Moments(0, np.zeros_like(total.mean), np.zeros_like(total.squares))
    mean = total.mean + (total.mean - part.mean) * (part.n / n)
    squares = total.squares - part.squares - np.square(mean - part.mean) * (part.n * n / total.n)
    return Moments(n, mean, np.maximum(squares, 0.0))


def kept_genes(effects: ConditionEffects) -> Genes:
    """All genes but the own targets."""
    return np.delete(np.arange(len(effects.observed)), list(effects.targets))
