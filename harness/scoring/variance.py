"""Where the variance of predictions comes from: the submission, or training residuals, named so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import PredictionsFile
from harness.metrics.variance import VarKind

__all__ = ["VarKind", "Variance", "resolve_variance"]
NOTHING_TO_FILL_FROM = (
    "no variance was given, and fewer than two training conditions leave nothing to fill it from"
)


@dataclass(frozen=True)
class Variance:
    """Where the variance of the predictions comes from, and what it is the variance of."""

    source: Literal["native", "filled", "none"]
    kind: VarKind
    filled: NDArray[np.float64] | None = None  # [genes]
    reason: str | None = None
    """Why there is none."""


def resolve_variance(
    file: PredictionsFile, var_kind: VarKind, residual_variance: NDArray[np.float64] | None
) -> Variance:
    """The submission's own variance, else the one filled from training residuals."""
    if file.var is not None:
        return Variance("native", var_kind)
    if residual_variance is None:
        return Variance("none", "observed", reason=NOTHING_TO_FILL_FROM)
    return Variance("filled", "observed", residual_variance)
