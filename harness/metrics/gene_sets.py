"""The genes that a panel looks at: all of them, or those that differ most between observed cells and controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.differential import strongest, welch_scores
from harness.metrics.moments import Moments

GeneSetSize = int | Literal["all"]
TOO_FEW = "genes cannot be ranked from fewer than two cells on either side"


@dataclass(frozen=True)
class GeneRanking:
    """Genes in the order of Welch's |t| against the controls."""

    scores: NDArray[np.float32]  # [genes]; t is held in float32, as published, and ranked so
    order: NDArray[np.int64]  # [genes]; strongest first, equal scores in gene order
    degenerate: NDArray[np.int64]
    """Genes without variance on either side whose means differ: t is infinite."""

    def top(self, k: int) -> NDArray[np.int64]:
        """The k strongest genes; all of them where there are no more."""
        return self.order[:k]

    def tie_at_cut(self, k: int) -> bool:
        """Whether the last gene within the first k and the first one outside have the same score."""
        if k >= len(self.order):
            return False
        inside, outside = np.abs(self.scores[self.order[k - 1 : k + 1]])
        return bool(inside == outside)


def rank_genes(cells: Moments, control: Moments) -> GeneRanking | None:
    """Rank the genes of a group of cells against controls; None where either side has fewer than two cells."""
    if cells.n < 2 or control.n < 2:
        return None
    scores = welch_scores(cells, control).astype(np.float32)
    return GeneRanking(
        scores, strongest(scores.astype(np.float64), len(scores)), np.flatnonzero(np.isinf(scores))
    )


def set_name(size: GeneSetSize) -> str:
    """`top20`, `all`."""
    return "all" if size == "all" else f"top{size}"
