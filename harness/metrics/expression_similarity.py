"""Further published comparisons of two mean expression profiles. On expression most of the score is the gene's own level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Undefined, Value
from harness.metrics.correlation import spearman

Profile = NDArray[np.float64]
SIDES = ("the observed mean expression", "the predicted mean expression")


def euclidean(observed: Profile, predicted: Profile) -> float:
    r"""$|m_T - m_P|_2$; published as `root_mean_squared_error` too, without division by the number of genes."""
    return float(np.sqrt(np.square(observed - predicted).sum()))


def mean_absolute_error(observed: Profile, predicted: Profile) -> float:
    r"""$\frac{1}{G}\sum_g|m_T - m_P|_g$."""
    return float(np.abs(observed - predicted).mean())


def mmd(observed: Profile, predicted: Profile) -> float:
    r"""Maximum mean discrepancy of the linear kernel, biased: $|m_T - m_P|_2^2$."""
    return float(np.square(observed - predicted).sum())


def spearman_distance(observed: Profile, predicted: Profile) -> Value:
    r"""$1 - \rho(m_T, m_P)$."""
    value = spearman(observed, predicted, of=SIDES)
    return value if isinstance(value, Undefined) else 1 - value


def cosine_distance(observed: Profile, predicted: Profile) -> Value:
    r"""$1 - \cos(m_T, m_P)$."""
    norms = np.sqrt(np.square(observed).sum() * np.square(predicted).sum())
    if norms == 0:
        return Undefined("a mean expression of zero has no direction")
    return float(1 - (observed * predicted).sum() / norms)


def r2_distance(observed: Profile, predicted: Profile) -> Value:
    r"""$1 - R^2$ with the observed mean as truth: $\sum_g(m_T-m_P)_g^2/\sum_g(m_T-\bar m_T)_g^2$."""
    total = float(np.square(observed - observed.mean()).sum())
    if total == 0:
        return Undefined("the observed mean expression is constant")
    return float(np.square(observed - predicted).sum()) / total
