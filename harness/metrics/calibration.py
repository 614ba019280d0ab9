"""Calibration: whether intervals hold what they promise, and how wide they are once they do."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, Undefined, Value, metric
from harness.metrics.forecasts import Forecasts
from harness.metrics.scores import Scores, defined

Array = NDArray[np.float64]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("means", "variance")
GNEITING = "Gneiting, Balabdaoui & Raftery 2007"
KULESHOV = "Kuleshov, Fenner & Ermon 2018"
WIDTH = "reached by intervals that are far too wide for some genes and too narrow for others"
LEVELS = tuple(j / 20 for j in range(1, 20))
"""The 19 levels at which nominal and empirical probabilities are compared."""
STRONGEST = 0.1
NO_CONDITIONS = "no reported condition has a variance"
NO_CALIBRATION = "there are no calibration conditions with a variance"


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.5,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_50(forecasts: Forecasts) -> Scores:
    r"""Share of genes inside the central 50 % interval: $|\delta_g-\mu_g|\le z_{0.75}\,\sigma_g$."""
    return _coverage(forecasts, 0.5)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.8,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_80(forecasts: Forecasts) -> Scores:
    r"""Share of genes inside the central 80 % interval: $|\delta_g-\mu_g|\le z_{0.9}\,\sigma_g$."""
    return _coverage(forecasts, 0.8)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.9,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_90(forecasts: Forecasts) -> Scores:
    r"""Share of genes inside the central 90 % interval: $|\delta_g-\mu_g|\le z_{0.95}\,\sigma_g$."""
    return _coverage(forecasts, 0.9)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.95,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies=WIDTH,
)
def coverage_95(forecasts: Forecasts) -> Scores:
    r"""Share of genes inside the central 95 % interval: $|\delta_g-\mu_g|\le z_{0.975}\,\sigma_g$."""
    return _coverage(forecasts, 0.95)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=KULESHOV,
    pathologies="few genes leave noise of order 1/√G; genes that move together leave more",
)
def calibration_error(forecasts: Forecasts) -> Scores:
    r"""How far the share of genes below each predicted quantile is from its level:
    $\frac1{19}\sum_j|\hat F(p_j)-p_j|$, $\hat F(p)=\frac1G\#\{g:\Phi(z_g)\le p\}$, $p_j=j/20$.
    """  # noqa: D205
    return _scores(forecasts, np.abs(pit_shares(forecasts) - np.array(LEVELS)).mean(axis=1))


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="few genes leave noise of order 1/√G; genes that move together leave more",
)
def pit_ks(forecasts: Forecasts) -> Scores:
    r"""Kolmogorov–Smirnov distance of a condition's $\Phi(z_g)$ from uniform: $\sup_u|\hat F(u)-u|$."""
    from scipy.special import ndtr

    if not len(forecasts):
        return Scores(np.zeros(0))
    u = np.sort(ndtr(forecasts.z), axis=1)
    n = u.shape[1]
    above = np.arange(1, n + 1) / n - u
    below = u - np.arange(n) / n
    return _scores(forecasts, np.maximum(above.max(axis=1), below.max(axis=1)))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="not comparable between submissions that are not equally calibrated",
)
def width_90(forecasts: Forecasts) -> Scores:
    r"""Mean width of the central 90 % interval as given: $\frac1G\sum_g 2 z_{0.95}\,\sigma_g$."""
    return _scores(forecasts, 2 * _z(0.9) * forecasts.sd.mean(axis=1))


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    unit="task",
    pathologies=WIDTH,
    may_rank=True,
)
def coverage_90_error(coverage: Array) -> Value:
    r"""Distance of the mean coverage of conditions from its promise: $|\overline{C_{90}}-0.9|$."""
    return defined(abs(float(coverage.mean()) - 0.9)) if len(coverage) else Undefined(NO_CONDITIONS)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=0.9,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    unit="task",
    pathologies="chosen by the observed effect, noise included, so that it lies below 0.9 even for honest intervals",
)
def coverage_90_strongest(coverage: Array, effect_size: Array) -> Value:
    r"""Coverage of the central 90 % interval over the tenth of conditions with the largest $\|\delta\|$."""
    if not len(coverage):
        return Undefined(NO_CONDITIONS)
    return defined(float(coverage[strongest_conditions(effect_size)].mean()))


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=KULESHOV,
    unit="task",
    pathologies="pooling hides conditions that are too certain behind others that are too uncertain",
)
def pooled_calibration_error(shares: Array) -> Value:
    r"""Calibration error of all conditions together, equal weight each: $\frac1{19}\sum_j|\overline{\hat F(p_j)}-p_j|$."""
    if not len(shares):
        return Undefined(NO_CONDITIONS)
    return defined(float(np.abs(shares.mean(axis=0) - np.array(LEVELS)).mean()))


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    unit="task",
    pathologies="assumes that what recalibrates the calibration conditions recalibrates the reported ones",
)
def recalibrated_width_90(width: Array, calibration_z: Array) -> Value:
    r"""Sharpness at equal calibration: mean width of the 90 % interval after one factor on every $\sigma$ makes it cover
    exactly 90 % of the genes of the calibration conditions: $\overline{w_{90}}\,\lambda$, $\lambda=Q_{0.9}(|z|)/z_{0.95}$.
    """  # noqa: D205
    if not calibration_z.size:
        return Undefined(NO_CALIBRATION)
    if not len(width):
        return Undefined(NO_CONDITIONS)
    factor = float(np.quantile(np.abs(calibration_z), 0.9, method="inverted_cdf")) / _z(0.9)
    return defined(float(width.mean()) * factor)


def pit_shares(forecasts: Forecasts) -> Array:
    """Share of genes at or below each predicted quantile. [conditions, levels]"""
    return _shares(forecasts.z, [NormalDist().inv_cdf(level) for level in LEVELS])


def interval_shares(forecasts: Forecasts) -> Array:
    """Share of genes inside each central interval. [conditions, levels]"""
    return _shares(np.abs(forecasts.z), [_z(level) for level in LEVELS])


def strongest_conditions(effect_size: Array) -> NDArray[np.int64]:
    """Positions of the tenth (at least one) of conditions with the largest observed effect."""
    count = -(-len(effect_size) // round(1 / STRONGEST))
    return np.argsort(-effect_size, kind="stable")[:count].astype(np.int64)


def _shares(values: Array, bounds: Sequence[float]) -> Array:
    return np.stack([(values <= bound).mean(axis=1) for bound in bounds], axis=1)


def _coverage(forecasts: Forecasts, level: float) -> Scores:
    return _scores(forecasts, (np.abs(forecasts.z) <= _z(level)).mean(axis=1))


def _z(level: float) -> float:
    """Half width of a central interval in standard deviations."""
    return NormalDist().inv_cdf((1 + level) / 2)


def _scores(forecasts: Forecasts, values: Array) -> Scores:
    return Scores.of(values, {forecasts.no_variance: forecasts.unknown})
