"""The place of the right prediction among all predictions of a context, with ties by expectation and never by a draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Normaliser = Literal["n-1", "n"]
NORMALISERS: dict[Normaliser, str] = {
    "n-1": "position / (n − 1), PerturBench since 2025-07: 0 is best, 1 worst",
    "n": "legacy: position / n, PerturBench before 2025-07; smaller by (n − 1)/n",
}
TIED = 1e-9
"""Scores that differ relatively by less are the same score: what differs is rounding."""


@dataclass(frozen=True)
class Places:
    """For each condition, how many of the n − 1 others are strictly better, and how many tie with it."""

    better: NDArray[np.int64]  # [conditions]
    tied: NDArray[np.int64]  # [conditions]

    def lowest(self, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
        """Rank if every tie were won."""
        return self.better / self._divisor(normaliser)

    def highest(self, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
        """Rank if every tie were lost."""
        return (self.better + self.tied) / self._divisor(normaliser)

    def expected(self, normaliser: Normaliser = "n-1") -> NDArray[np.float64]:
        """(better + tied / 2) / (n − 1): the mean over all ways to break ties."""
        return (self.better + self.tied / 2) / self._divisor(normaliser)

    @property
    def tied_share(self) -> NDArray[np.float64]:
        """Share of the others that tie."""
        return self.tied / max(len(self.better) - 1, 1)

    def _divisor(self, normaliser: Normaliser) -> int:
        n = len(self.better)
        return n if normaliser == "n" else max(n - 1, 1)


def places(scores: NDArray[np.float64], *, higher_is_better: bool, transposed: bool = False) -> Places:
    """Places from scores [predictions, truths]: of each truth's own prediction among all predictions for that truth.

    Transposed: of each prediction's own truth among all truths. A score that does not exist is worse than any other, and
    ties with others of its kind.
    """
    costs = -scores if higher_is_better else scores
    costs = np.where(np.isnan(costs), np.inf, costs)
    if transposed:
        costs = costs.T
    own = np.diagonal(costs)
    slack = np.where(np.isfinite(own), TIED * np.abs(own), 0.0)
    with np.errstate(invalid="ignore"):
        tied = (costs == own) | (np.abs(costs - own) <= slack)
        better = (costs < own) & ~tied
    return Places(better.sum(axis=0), tied.sum(axis=0) - 1)
