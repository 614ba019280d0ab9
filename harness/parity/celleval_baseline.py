"""cell-eval's own baseline, one vector for every cell, and its score of a prediction against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, cards
from harness.metrics.inputs import Controls
from harness.metrics.moments import moments


def baseline_cells(
    observed: Mapping[str, NDArray[np.float32]], controls: Controls, labels: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """For every observed cell the mean of the group means, controls being one group."""
    means = [moments(observed[label]).mean for label in labels] + [controls.moments.mean]
    vector = np.mean(means, axis=0)
    return {label: np.tile(vector, (len(observed[label]), 1)) for label in labels}


def score(metric: str, value: float, baseline: float) -> float:
    """$1 - u/b$ for errors, $(u-b)/(1-b)$ for the others; not below 0, and 0 where one side is not a number."""
    error = cards()[f"celleval.{metric}"].direction is Direction.LOWER
    with np.errstate(divide="ignore", invalid="ignore"):
        u, b = np.float64(value), np.float64(baseline)
        found = 1 - u / b if error else (u - b) / (1 - b)
    return 0.0 if np.isnan(found) else max(0.0, float(found))
