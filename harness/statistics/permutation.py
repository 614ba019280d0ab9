"""Permutation tests: does the sign of a paired difference, or the label of a prediction, matter?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import HarnessError
from harness.statistics.design import Floats, Ints

SIGN_RESAMPLES = 9999
LABEL_RESAMPLES = 999
ROUNDING = 1e-12
"""Sums of the same numbers in another order differ by less than this, relative to their size."""


def sign_permutation(
    differences: Floats,
    clusters: Sequence[object] | Ints | None = None,
    *,
    resamples: int = SIGN_RESAMPLES,
    seed: int = 0,
) -> Floats:
    """One-sided p of each metric that paired differences are above 0. [conditions, metrics] or [conditions] → [metrics]

    Under no difference each sign is as likely as its opposite. Conditions of one cluster (a perturbation, a context) turn
    together. All sign patterns are tried where there are no more of them than `resamples`, which makes the test exact; else
    `(1 + #{T* ≥ T}) / (resamples + 1)`. NaN is undefined and says nothing; a metric with no defined condition has p NaN.
    """
    values = np.asarray(differences, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if not len(values):
        raise HarnessError("there are no differences to test", expected="one per condition")
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0)
    if clusters is not None:
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1].reshape(-1)
        gathered = np.zeros((int(codes.max()) + 1, values.shape[1]))
        np.add.at(gathered, codes, sums)
        sums = gathered
    n = len(sums)
    exact = n < 63 and 2**n <= resamples + 1
    total = sums.sum(axis=0)
    reach = total - ROUNDING * np.abs(sums).sum(axis=0)
    if exact:
        patterns = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        p = ((2.0 * patterns - 1.0) @ sums >= reach).mean(axis=0)
    else:
        rng = np.random.default_rng(seed)
        signs = 2.0 * rng.integers(2, size=(resamples, n)) - 1.0
        p = (1 + (signs @ sums >= reach).sum(axis=0)) / (resamples + 1)
    return np.where(known.any(axis=0), p, np.nan)


@dataclass(frozen=True)
class Specificity:
    """Whether predictions fit their own perturbation better than they fit others of the context."""

    statistic: float
    """Mean score of predictions against their own truth, contexts counting equally."""
    null_mean: float
    """The same with labels permuted within contexts."""
    null_sd: float
    p: float
    """`(1 + #{T* ≥ T}) / (resamples + 1)`."""
    resamples: int
    n: int
    """Conditions whose label could have been another."""
    seed: int


def label_permutation(
    scores: Sequence[Floats], *, resamples: int = LABEL_RESAMPLES, seed: int = 0
) -> Specificity:
    """Permutation test of specificity on pairwise scores of each context.

    `scores` has one matrix per context, [predictions, truths], higher is better, own pairs on the diagonal. Labels are
    permuted within contexts, so that a model which says the same of every perturbation of a context has p = 1 whatever
    it scores. Rows and columns whose own pair is undefined (NaN) are left out; another undefined pair counts as the worst
    score of its row. Contexts of one perturbation test nothing and are left out.
    """
    rng = np.random.default_rng(seed)
    own: list[float] = []
    permuted: list[Floats] = []
    n = 0
    for matrix in map(_defined, scores):
        size = len(matrix)
        if size < 2:
            continue
        n += size
        # sums in one order for all labels, so that a model without preference ties with itself to the last bit
        labels = rng.permuted(np.broadcast_to(np.arange(size), (resamples, size)), axis=1)
        own.append(float(np.sort(np.diagonal(matrix)).mean()))
        permuted.append(np.asarray(np.sort(matrix[np.arange(size), labels], axis=1).mean(axis=1)))
    if not own:
        raise HarnessError(
            "no context has two perturbations to tell apart",
            got=f"{len(scores)} contexts",
            expected="at least two defined conditions in one context",
        )
    statistic = float(np.mean(own))
    null = np.mean(permuted, axis=0)
    reach = statistic - ROUNDING * max(1.0, abs(statistic))
    p = (1 + int((null >= reach).sum())) / (resamples + 1)
    return Specificity(statistic, float(null.mean()), float(null.std()), p, resamples, n, seed)


def _defined(matrix: Floats) -> Floats:
    found = np.asarray(matrix, np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        raise HarnessError(
            "pairwise scores are not square",
            got=f"shape {found.shape}",
            expected="[predictions, truths] of one context",
        )
    keep = np.isfinite(np.diagonal(found))
    found = np.asarray(found[np.ix_(keep, keep)], np.float64)
    if not found.size:
        return found
    worst = np.nanmin(np.where(np.isfinite(found), found, np.nan), axis=1, keepdims=True)
    return np.where(np.isfinite(found), found, worst)
