"""Selective prediction: whether the conditions that a submission is sure of are those it predicts well."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, Undefined, Value, metric
from harness.metrics.forecasts import Forecasts
from harness.metrics.ranks import mid_ranks, spearman
from harness.metrics.scores import Scores, defined
from harness.metrics.variance import own_uncertainty

Array = NDArray[np.float64]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("means", "variance")
GEIFMAN = "Geifman & El-Yaniv 2017"
PERMUTATIONS = 999
NO_EFFECT = "no effect was observed, so that no error is relative to it"
TOO_FEW = "fewer than two conditions cannot be ordered"
NOTHING_SAID = "the submission predicts no effect, and is certain of it"
EQUAL_RISKS = "every condition has the same risk, so that no order is better"
FILLED = "the filled variance is the same for every condition"


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference="relative squared error",
    pathologies="conditions with hardly any effect reach large values and decide the mean",
)
def relative_risk(forecasts: Forecasts) -> Scores:
    r"""Squared error in units of the observed effect: $\|\mu-\delta\|^2/\|\delta\|^2$."""
    size = np.square(forecasts.observed).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.square(forecasts.residual).sum(axis=1) / size
    return Scores.of(values, {NO_EFFECT: size == 0})


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    needs=("variance",),
    reference=GEIFMAN,
    pathologies="in the unit of expression",
)
def uncertainty(forecasts: Forecasts) -> Scores:
    r"""How unsure a submission is of a condition, sampling noise left out: $U=\sqrt{\frac1G\sum_g\mathrm{var}_g}$.

    Where `var` is the spread of single cells and an epistemic part is given, U is made of that part.
    """
    own = own_uncertainty(forecasts.claimed, forecasts.epistemic, forecasts.var_kind)
    missing = np.asarray(np.isnan(own).any(axis=1))
    return Scores.of(np.sqrt(own.mean(axis=1)), {forecasts.no_variance: missing})


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    needs=("variance",),
    reference="relative squared error, expected by the submission itself",
    pathologies="a prediction of no effect expects to be wholly wrong",
)
def expected_risk(forecasts: Forecasts) -> Scores:
    r"""The relative risk that a submission expects of itself: $\hat R=\|\sigma\|^2/(\|\sigma\|^2+\|\mu\|^2)$.

    Sampling noise is left out of σ. Relative risk is ordered by this. Ordered by $\|\sigma\|$ alone, who knows that large
    effects have large errors, as they do, would be told that his uncertainty misleads.
    """
    own = own_uncertainty(forecasts.claimed, forecasts.epistemic, forecasts.var_kind).sum(axis=1)
    size = np.square(forecasts.mean).sum(axis=1)
    missing = np.isnan(own)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = own / (own + size)
    nothing = np.asarray(own + size == 0)
    return Scores.of(values, {forecasts.no_variance: missing, NOTHING_SAID: nothing})


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=GEIFMAN,
    unit="task",
    pathologies="mixes how good the predictions are with how well they are ordered",
)
def aurc(uncertainty: Array, risk: Array) -> Value:
    r"""Area under the risk–coverage curve: $\frac1n\sum_k R(k/n)$, $R(c)$ the mean risk of the share c that expects least.

    Conditions that are equally certain come in random order; the area is its expectation.
    """
    if len(risk) < 2:
        return Undefined(TOO_FEW)
    return defined(float(risk_curve(uncertainty, risk).mean()))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-np.inf, 1.0),
    needs=NEEDS,
    reference=GEIFMAN,
    unit="task",
    pathologies="the norm of the prediction orders relative risk well and says nothing of uncertainty: see aurc_advantage",
)
def aurc_gain(uncertainty: Array, risk: Array) -> Value:
    r"""How much of the order that hindsight allows is found: $(A_{rand}-A)/(A_{rand}-A_{oracle})$; 0 is a random order."""
    if len(risk) < 2:
        return Undefined(TOO_FEW)
    if risk.min() == risk.max():
        return Undefined(EQUAL_RISKS)
    random, oracle = float(risk.mean()), float(risk_curve(risk, risk).mean())
    return defined((random - float(risk_curve(uncertainty, risk).mean())) / (random - oracle))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(-np.inf, 1.0),
    reference=GEIFMAN,
    unit="task",
    pathologies="a competitor, not a score",
)
def aurc_gain_norm(norm: Array, risk: Array) -> Value:
    r"""The trivial competitor: gain of the order by $\|\mu\|$, rising or falling, whichever is better."""
    gains = [aurc_gain(order, risk) for order in (norm, -norm)]
    numbers = [gain for gain in gains if not isinstance(gain, Undefined)]
    return max(numbers) if numbers else gains[0]


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=None,
    range=(-np.inf, np.inf),
    needs=NEEDS,
    reference=GEIFMAN,
    unit="task",
    pathologies="the competitor is the best of several, chosen in hindsight",
)
def aurc_advantage(gain: Value, competitors: list[Value]) -> Value:
    r"""Gain beyond the best order that needs no uncertainty:
    $\mathrm{gain}(\hat R)-\max(\mathrm{gain}(\pm\|\mu\|),\mathrm{gain}(d),0)$, d the distance to training where it is known.
    """  # noqa: D205
    if isinstance(gain, Undefined):
        return gain
    return defined(gain - max([0.0, *(one for one in competitors if not isinstance(one, Undefined))]))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-1.0, 1.0),
    needs=NEEDS,
    reference="Spearman 1904",
    unit="task",
    pathologies="few conditions leave a wide interval",
)
def uncertainty_risk_spearman(uncertainty: Array, risk: Array) -> Value:
    r"""Rank correlation of expected and relative risk over conditions: $\rho_S(\hat R,R)$."""
    if len(risk) < 2:
        return Undefined(TOO_FEW)
    if risk.min() == risk.max():
        return Undefined(EQUAL_RISKS)
    if uncertainty.min() == uncertainty.max():
        return Undefined("every condition is equally certain")
    return defined(spearman(uncertainty, risk))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference="Phipson & Smyth 2010",
    unit="task",
    pathologies="not below 1/1000",
)
def uncertainty_risk_p(uncertainty: Array, risk: Array, seed: int) -> Value:
    r"""Chance of such a rank correlation by luck: $(1+\#\{\rho^*\ge\rho\})/(B+1)$, B = 999 permutations."""
    found = uncertainty_risk_spearman(uncertainty, risk)
    if isinstance(found, Undefined):
        return found
    rng = np.random.default_rng(seed)
    a, b = (ranks - (len(ranks) + 1) / 2 for ranks in (mid_ranks(uncertainty), mid_ranks(risk)))
    canonical = np.lexsort((b, a))
    a, b = a[canonical], b[canonical]
    reached = float((a * b).sum())
    as_high = sum(float((rng.permutation(a) * b).sum()) >= reached for _ in range(PERMUTATIONS))
    return (1 + as_high) / (PERMUTATIONS + 1)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference="Barlow et al. 1972",
    unit="task",
    pathologies="the first few conditions make the curve restless; a falling curve may still be noise",
)
def risk_curve_deviation(uncertainty: Array, risk: Array) -> Value:
    r"""How far risk is from rising with coverage: $\frac1n\sum_k|R_k-\tilde R_k|/\bar R$, $\tilde R$ its isotonic fit."""
    if len(risk) < 2:
        return Undefined(TOO_FEW)
    mean = float(risk.mean())
    if mean == 0:
        return Undefined(EQUAL_RISKS)
    curve = risk_curve(uncertainty, risk)
    return defined(float(np.abs(curve - isotonic(curve)).mean()) / mean)


def risk_curve(uncertainty: Array, risk: Array) -> Array:
    """Mean risk of the 1, 2, … most certain conditions, ties in expectation. [conditions]"""
    order = np.argsort(uncertainty, kind="stable")
    _, group, counts = np.unique(uncertainty[order], return_inverse=True, return_counts=True)
    shared = np.bincount(group.ravel(), weights=risk[order]) / counts
    return np.cumsum(shared[group.ravel()]) / np.arange(1, len(risk) + 1)


def isotonic(values: Array) -> Array:
    """Least-squares fit that never falls, by pooling adjacent violators."""
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        mean, count = value, 1
        while means and means[-1] > mean:
            before, size = means.pop(), counts.pop()
            mean = (mean * count + before * size) / (count + size)
            count += size
        means.append(mean)
        counts.append(count)
    return np.repeat(means, counts)
