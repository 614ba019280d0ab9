"""Proper scores of Gaussian forecasts: best in expectation for who says honestly what is known."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, metric
from harness.metrics.forecasts import Forecasts, standardised
from harness.metrics.scores import Scores

Array = NDArray[np.float64]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("means", "variance")
GNEITING = "Gneiting & Raftery 2007"
INTERVAL = 0.9
VARIANCE_FLOOR = 1e-4
"""Share of a gene's training residual variance under which no variance is believed in a likelihood: a gene without any
reads would else win or lose without bound."""
NO_RESIDUALS = "fewer than two training conditions leave no residuals to compare with"
PERFECT_REFERENCE = "the training residuals predict this condition without error"


def gaussian_nll(residual: Array, variance: Array) -> Array:
    r"""$\frac12\log 2\pi\sigma^2 + \frac{(\delta-\mu)^2}{2\sigma^2}$ of each entry."""
    return np.asarray(0.5 * np.log(2 * math.pi * variance) + residual**2 / (2 * variance))


def gaussian_crps(residual: Array, sd: Array) -> Array:
    r"""$\sigma[z(2\Phi(z)-1)+2\varphi(z)-1/\sqrt\pi]$ of each entry; |δ − μ| where σ is 0."""
    from scipy.special import ndtr

    z = standardised(residual, sd)
    bounded = np.where(np.isinf(z), 0.0, z)
    density = np.exp(-0.5 * bounded**2) / math.sqrt(2 * math.pi)
    score = sd * (bounded * (2 * ndtr(bounded) - 1) + 2 * density - 1 / math.sqrt(math.pi))
    return np.where(np.isinf(z), np.abs(residual), score)


def interval_score(residual: Array, half_width: Array, level: float) -> Array:
    r"""$(u-l)+\frac2\alpha(l-\delta)_++\frac2\alpha(\delta-u)_+$ of each entry's central interval μ ± half width."""
    return 2 * half_width + 2 / (1 - level) * np.maximum(np.abs(residual) - half_width, 0.0)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=None,
    range=(-np.inf, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="a few genes that are far too certain decide it; its unit is the genes' scale, so compare on one task only",
)
def nll(forecasts: Forecasts) -> Scores:
    r"""Negative log-likelihood of the observed effect, mean over genes:
    $\frac1G\sum_g\frac12\log 2\pi\sigma_g^2+\frac{(\delta_g-\mu_g)^2}{2\sigma_g^2}$, with $\sigma_g^2$ not below the
    sampling variance of the observed effect and $10^{-4}$ of the gene's training residual variance.
    """  # noqa: D205
    floor = _variance_floor(forecasts)
    variance = np.fmax(np.fmax(forecasts.variance, floor), forecasts.sampling)
    impossible = np.broadcast_to((floor == 0).any(), len(forecasts))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = gaussian_nll(forecasts.residual, variance).mean(axis=1)
    return _scores(forecasts, values, {"no gene varies over the training conditions": impossible})


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=None,
    range=(-np.inf, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="a few genes that are far too certain decide it",
)
def nll_skill(forecasts: Forecasts) -> Scores:
    r"""Nats per gene gained over the training residuals $N(m_g,s_g^2)$: $\mathrm{NLL}_{ref}-\mathrm{NLL}$."""
    own = nll(forecasts)
    floor = np.maximum(_variance_floor(forecasts), forecasts.residuals.variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        reference = gaussian_nll(forecasts.observed - forecasts.residuals.mean, floor).mean(axis=1)
    found = Scores.of(reference - own.values, {NO_RESIDUALS: _no_residuals(forecasts)})
    return Scores(found.values, {**found.reasons, **own.reasons})


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="in the unit of expression: strong conditions weigh more, so compare on one task only",
    may_rank=True,
)
def crps(forecasts: Forecasts) -> Scores:
    r"""Continuous ranked probability score of a Gaussian forecast, mean over genes:
    $\frac1G\sum_g\sigma_g[z_g(2\Phi(z_g)-1)+2\varphi(z_g)-1/\sqrt\pi]$, $z_g=(\delta_g-\mu_g)/\sigma_g$.
    """  # noqa: D205
    return _scores(forecasts, gaussian_crps(forecasts.residual, forecasts.sd).mean(axis=1))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-np.inf, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="the noise of finite cells keeps even a perfect forecast below 1",
    may_rank=True,
)
def crps_skill(forecasts: Forecasts) -> Scores:
    r"""Share of the training residuals' CRPS that is saved: $1-\mathrm{CRPS}/\mathrm{CRPS}(N(m_g,s_g^2))$."""
    own = crps(forecasts)
    reference = gaussian_crps(*_reference(forecasts)).mean(axis=1)
    return _skill(forecasts, own, reference)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="in the unit of expression: compare on one task only",
)
def interval_score_90(forecasts: Forecasts) -> Scores:
    r"""Width and misses of the central 90 % interval, mean over genes:
    $(u-l)+\frac{2}{0.1}(l-\delta)_++\frac{2}{0.1}(\delta-u)_+$.
    """  # noqa: D205
    return _scores(forecasts, _interval_score(forecasts.residual, forecasts.sd))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-np.inf, 1.0),
    needs=NEEDS,
    reference=GNEITING,
    pathologies="the noise of finite cells keeps even a perfect forecast below 1",
)
def interval_skill_90(forecasts: Forecasts) -> Scores:
    r"""Share of the training residuals' interval score that is saved: $1-W_{90}/W_{90}(N(m_g,s_g^2))$."""
    return _skill(forecasts, interval_score_90(forecasts), _interval_score(*_reference(forecasts)))


def _interval_score(residual: Array, sd: Array) -> Array:
    half_width = NormalDist().inv_cdf((1 + INTERVAL) / 2) * sd
    return np.asarray(interval_score(residual, half_width, INTERVAL).mean(axis=1))


def _reference(forecasts: Forecasts) -> tuple[Array, Array]:
    """Residual and standard deviation of the reference forecast."""
    residual = forecasts.observed - forecasts.residuals.mean
    return residual, np.broadcast_to(np.sqrt(forecasts.residuals.variance), residual.shape)


def _skill(forecasts: Forecasts, own: Scores, reference: Array) -> Scores:
    with np.errstate(divide="ignore", invalid="ignore"):
        values = 1 - own.values / reference
    undefined = {NO_RESIDUALS: _no_residuals(forecasts), PERFECT_REFERENCE: reference == 0}
    return _scores(forecasts, values, undefined)


def _no_residuals(forecasts: Forecasts) -> NDArray[np.bool_]:
    """Whether training left no residuals to compare with; the same for every condition."""
    return np.full(len(forecasts), bool(np.isnan(forecasts.residuals.variance).any()))


def _variance_floor(forecasts: Forecasts) -> Array:
    """[genes]; genes that never varied in training take the floor of the mean gene."""
    variance = forecasts.residuals.variance
    return VARIANCE_FLOOR * np.where(variance > 0, variance, variance.mean())


def _scores(
    forecasts: Forecasts, values: Array, undefined: dict[str, NDArray[np.bool_]] | None = None
) -> Scores:
    return Scores.of(values, {forecasts.no_variance: forecasts.unknown} | (undefined or {}))
