"""Values of any metric such that more is better, and their mean over conditions with contexts counting equally."""

from __future__ import annotations

import math

import numpy as np

from harness.metrics.card import Card, Direction
from harness.scoring.score_table import Floats, Ints


def goodness(card: Card, values: Floats) -> Floats:
    """Values such that more is better: by the direction, or minus the distance to the optimum."""
    if card.direction is Direction.TARGET and card.optimum is not None:
        return np.asarray(-np.abs(values - card.optimum))
    return -values if card.direction is Direction.LOWER else values


def level_mean(values: Floats, contexts: Ints) -> float:
    """Mean over conditions, then over contexts; undefined conditions are left out. NaN where nothing is defined."""
    known = ~np.isnan(values)
    means = [float(values[known & (contexts == one)].mean()) for one in np.unique(contexts[known])]
    return math.fsum(means) / len(means) if means else math.nan
