"""Which genes an artifact holds, decided on pool-A controls alone, so that no hidden cell has a say."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

N_BINS = 20


class GeneMoments:
    """Per gene, over some cells: how many express it, mean and variance on the linear scale."""

    def __init__(self, n_genes: int) -> None:
        self.n_cells = 0
        self.detected = np.zeros(n_genes, np.int64)
        self._sum = np.zeros(n_genes, np.float64)
        self._squares = np.zeros(n_genes, np.float64)

    def add(self, log_values: sparse.csr_array) -> None:
        """Take in some cells, log-normalised. [rows, genes]"""
        values = np.expm1(log_values.data.astype(np.float64))
        n_genes = len(self.detected)
        self.n_cells += log_values.shape[0]
        self.detected += np.bincount(log_values.indices, minlength=n_genes)
        self._sum += np.bincount(log_values.indices, values, n_genes)
        self._squares += np.bincount(log_values.indices, values**2, n_genes)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self._sum / max(1, self.n_cells)

    @property
    def variance(self) -> NDArray[np.float64]:
        spread = self._squares - self.n_cells * self.mean**2
        return np.maximum(spread, 0) / max(1, self.n_cells - 1)


def normalised_dispersion(moments: GeneMoments) -> NDArray[np.float64]:
    """Log dispersion (variance / mean) as a z-score among genes of similar mean; −∞ where a gene is silent. [genes]

    Satija et al. 2015, with bins of equal size in place of equal width.
    """
    mean, variance = moments.mean, moments.variance
    live = np.flatnonzero((mean > 0) & (variance > 0))
    score = np.full(len(mean), -np.inf)
    dispersion = np.log(variance[live] / mean[live])
    by_mean = np.argsort(mean[live], kind="stable")
    for members in np.array_split(by_mean, min(N_BINS, max(1, len(live) // 2))):
        values = dispersion[members]
        spread = values.std()
        score[live[members]] = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return score


def choose_genes(
    genes: Sequence[str],
    moments: GeneMoments,
    *,
    keep: Collection[str],
    min_control_cells: int = 0,
    top_hvg: int | None = None,
) -> tuple[NDArray[np.int64], str]:
    """Indices of the chosen genes, in the source's order, and the rule in words."""
    wanted = np.isin(np.array(genes, dtype=object).astype(str), np.array(sorted(keep), dtype=str))
    chosen = moments.detected >= min_control_cells
    rules = [f"found in ≥ {min_control_cells} pool-A controls"] if min_control_cells else []
    if top_hvg is not None:
        score = np.where(chosen, normalised_dispersion(moments), -np.inf)
        best = np.argsort(-score, kind="stable")[:top_hvg]
        chosen = np.zeros(len(genes), bool)
        chosen[best[np.isfinite(score[best])]] = True
        rules.append(f"{top_hvg} HVGs of pool-A controls")
    rules.append("perturbed genes always")
    return np.flatnonzero(chosen | wanted), "; ".join(rules)
