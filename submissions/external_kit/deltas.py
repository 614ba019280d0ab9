"""From the expression that a model generates to the delta that the harness asks for.

The three ways are not the same. For models of log-normalised expression the difference to the cell put in is the plain
one; it contains what the model cannot reconstruct. The difference to the model's own reconstruction of that cell leaves
this out. Counts are compared with the reconstruction only: the logarithm of a mean count is not the mean of the logarithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TARGET = 1e4
"""log1p of counts per this many: the usual normalisation."""


def raw_delta(generated: NDArray[Any], control: NDArray[Any]) -> Floats:
    """Generated log-normalised expression minus the control cell that was put in. [cells, genes]"""
    return np.asarray(generated, np.float32) - np.asarray(control, np.float32)


def reconstruction_delta(generated: NDArray[Any], reconstructed: NDArray[Any]) -> Floats:
    """Generated expression minus the model's own reconstruction of the control cell. [cells, genes]"""
    return np.asarray(generated, np.float32) - np.asarray(reconstructed, np.float32)


def log_normalised(rates: NDArray[Any], target: float = TARGET) -> Floats:
    """Expected counts as log1p of counts per `target`; use on both sides of `reconstruction_delta`. [cells, genes]"""
    rates = np.asarray(rates, np.float64)
    totals = rates.sum(axis=1, keepdims=True)
    scaled: Floats = np.log1p(rates / np.where(totals > 0, totals, 1.0) * target).astype(np.float32)
    return scaled
