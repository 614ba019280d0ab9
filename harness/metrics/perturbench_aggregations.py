"""What PerturBench makes of a group of cells before it compares: one vector over genes (release v2026; older ones named)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.differential import benjamini_hochberg
from harness.metrics.inputs import Controls, Profile
from harness.metrics.moments import Moments

PSEUDOCOUNT = 0.1
SMALLEST_Q = 1e-37
SMALLEST_P_V2024 = 1e-24
CLIP = 10.0
ROUNDING = 1e-13
"""|log2 ratio| that rounding of equal means can reach."""


def log_fold_change(mean: NDArray[np.float64], control: Profile) -> NDArray[np.float64]:
    r"""$\log_2(m_A + 0.1) - \log_2(m_C + 0.1)$ of means as they are, [genes] or [conditions, genes].

    Published so: no exponentiation, a mean below −0.1 becomes "no change", and one of exactly −0.1 minus infinity.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log2(mean + PSEUDOCOUNT)
        change -= np.log2(control + PSEUDOCOUNT)
        change[np.isnan(change) | (np.abs(change) <= ROUNDING)] = 0.0
    return change


def variation(cells: Moments) -> Profile:
    """Coefficient of variation: population sd / mean, 0/0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(cells.population_sd / cells.mean, nan=0.0, posinf=np.inf, neginf=-np.inf)


def overestimated_variance_test(cells: Moments, control: Moments) -> tuple[Profile, Profile]:
    r"""Welch's t and two-sided p with the control's sample size replaced by that of the group.

    $t = (m_A - m_C)/\sqrt{(v_A + v_C)/n_A}$; where t does not exist or is infinite, t is 0 and p is 1.
    """
    from scipy.special import stdtr

    t = _plain_t(cells, control)
    a, b = cells.variance, control.variance
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (cells.n - 1) * (a + b) ** 2 / (a**2 + b**2)
        p = 2 * stdtr(freedom, -np.abs(t))
    lost = ~np.isfinite(t)
    return np.where(lost, 0.0, t), np.where(lost, 1.0, p)


def overestimated_variance_scores(cells: Moments, control: Moments) -> Profile:
    """The t of `overestimated_variance_test` alone; p-values cost many times as much."""
    t = _plain_t(cells, control)
    return np.where(np.isfinite(t), t, 0.0)


def _plain_t(cells: Moments, control: Moments) -> Profile:
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (cells.variance + control.variance) / cells.n
        return np.asarray((cells.mean - control.mean) / np.sqrt(spread))


def signed_log_p(t: Profile, p: Profile) -> Profile:
    r"""$-\ln(q + 10^{-37})$ with the sign of t, q by Benjamini–Hochberg over genes."""
    return np.asarray(-np.log(benjamini_hochberg(p) + SMALLEST_Q) * np.sign(t))


def signed_log_p_v2024(cells: NDArray[Any], controls: Controls) -> Profile:
    r"""$-\ln(p + 10^{-24})$ with the sign of z, by the rank-sum z test without corrections for ties or continuity."""
    from scipy.special import ndtr

    n, m = len(cells), controls.ranked.n
    z = (controls.ranked.test(cells).u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12)
    return np.asarray(-np.log(2 * ndtr(-np.abs(z)) + SMALLEST_P_V2024) * np.sign(z))


def scaled(cells: NDArray[Any], state: Moments) -> Profile:
    """Mean of z-scores, clipped to ±10; `state` are all cells, controls included, that the z-score is taken over."""
    sd = np.sqrt(state.variance)
    z = (np.asarray(cells, np.float64) - state.mean) / np.where(sd == 0, 1.0, sd)
    return np.asarray(np.clip(z, -CLIP, CLIP).mean(axis=0))
