"""Rank groups and rank intervals: an order that says no more than the comparisons do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.design import Floats


@dataclass(frozen=True)
class Place:
    """Where one of several stands."""

    group: int
    """From 1; the best of a group is not shown to be better than any of it."""
    low: int
    """Best rank that it may have: one more than there are others shown to be better."""
    high: int
    """Worst rank that it may have: so many fewer than all as there are others shown to be worse."""


def places(scores: Floats, better: NDArray[np.bool_]) -> list[Place]:
    """The place of each, in the order given.

    `scores` are such that more is better, [entrants]; `better[i, j]` says that i is shown to be better than j, after
    whatever adjustment the family needs.
    """
    n = len(scores)
    groups = np.zeros(n, np.int64)
    leader, group = None, 0
    for i in np.argsort(-scores, kind="stable"):
        if leader is None or better[leader, i]:
            leader, group = i, group + 1
        groups[i] = group
    ahead, behind = better.sum(axis=0), better.sum(axis=1)
    return [Place(int(groups[i]), int(1 + ahead[i]), int(n - behind[i])) for i in range(n)]
