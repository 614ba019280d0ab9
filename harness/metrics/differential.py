"""Differential expression: Welch's t, its p-value, Benjamini–Hochberg, and the order of genes that follows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.moments import Moments


class Welch(NamedTuple):
    """Welch's t-test of each gene."""

    t: NDArray[np.float64]  # [genes]; without variance 0 where the means are equal, ±inf where not
    p: NDArray[np.float64]  # [genes], two-sided


def welch(cells: Moments, control: Moments) -> Welch:
    r"""$t = (m_T - m_C) / \sqrt{v_T/n_T + v_C/n_C}$ with Welch–Satterthwaite degrees of freedom."""
    from scipy.special import stdtr

    t = welch_scores(cells, control)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = cells.variance / cells.n, control.variance / control.n
        freedom = (a + b) ** 2 / (a**2 / (cells.n - 1) + b**2 / (control.n - 1))
        p = 2 * stdtr(freedom, -np.abs(t))
    p = np.where(np.isinf(t), 0.0, np.where(np.isnan(p) | (t == 0), 1.0, p))
    return Welch(t, p)


def welch_scores(cells: Moments, control: Moments) -> NDArray[np.float64]:
    """Welch's t of each gene alone; p-values cost many times as much."""
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = cells.variance / cells.n, control.variance / control.n
        t = (cells.mean - control.mean) / np.sqrt(a + b)
    return np.where(np.isnan(t), 0.0, t)


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p-values along the last axis."""
    n = p.shape[-1]
    order = np.argsort(p, axis=-1, kind="stable")
    scaled = np.take_along_axis(p, order, -1) * (n / np.arange(1, n + 1))
    monotone = np.minimum(np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1], 1.0)
    adjusted = np.empty_like(monotone)
    np.put_along_axis(adjusted, order, monotone, -1)
    return adjusted


def strongest(scores: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """The k genes with the largest |score|, strongest first; equal scores keep gene order."""
    return np.argsort(-np.abs(scores), kind="stable")[:k].astype(np.int64)
