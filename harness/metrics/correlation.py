"""Correlation of two vectors; of a constant one it does not exist."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Undefined, Value

NEARLY_CONSTANT = 1e-13
"""Spread, relative to the mean, under which only rounding is left of a vector's variation."""


def pearson(a: NDArray[np.float64], b: NDArray[np.float64], *, of: tuple[str, str]) -> Value:
    """Pearson correlation; `of` names the two vectors in the reason where it does not exist."""
    if len(a) < 2:
        return Undefined(f"correlation needs two values, there {_are(len(a))}")
    centred = []
    for vector, name in zip((a, b), of, strict=True):
        if is_constant(vector):
            return Undefined(f"{name} is constant")
        spread = vector - vector.mean()
        centred.append(spread / np.sqrt(spread @ spread))
    return float(np.clip(centred[0] @ centred[1], -1.0, 1.0))


def spearman(a: NDArray[np.float64], b: NDArray[np.float64], *, of: tuple[str, str]) -> Value:
    """Spearman correlation: Pearson of mid-ranks."""
    from scipy.stats import rankdata

    if len(a) < 2:
        return Undefined(f"correlation needs two values, there {_are(len(a))}")
    return pearson(rankdata(a), rankdata(b), of=of)


def is_constant(vector: NDArray[np.float64]) -> bool:
    """Whether a vector does not vary by more than rounding."""
    mean = vector.mean()
    return bool(np.abs(vector - mean).max() <= NEARLY_CONSTANT * abs(mean))


def _are(n: int) -> str:
    return "is one" if n == 1 else "are none"
