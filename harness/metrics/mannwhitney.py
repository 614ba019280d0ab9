"""The Mann–Whitney test of every gene, with the control cells ranked once for all perturbations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics.differential import benjamini_hochberg

_SIGN = np.uint32(0x8000_0000)
_VALUE_BITS = np.uint64(32)


class MannWhitney(NamedTuple):
    """Two-sided test of each gene."""

    u: NDArray[np.float64]  # [genes]; U of the target cells
    p: NDArray[np.float64]  # [genes]; normal approximation, tie-corrected, continuity 0.5
    fdr: NDArray[np.float64]  # [genes]; Benjamini–Hochberg over genes


class RankedControl:
    """Control cells of one context, sorted by gene and value, zeros counted apart.

    Expression is mostly zeros, so that only the other values are sorted and looked up. A value is searched as one integer,
    gene number above and order-preserving bits of the float32 below: one sorted array serves all genes.
    """

    def __init__(self, cells: NDArray[Any]) -> None:
        self.n, self.n_genes = cells.shape
        self._keys = np.sort(_keys(cells))
        _, counts = _runs(self._keys)
        self._first = np.searchsorted(self._keys, np.arange(self.n_genes, dtype=np.uint64) << _VALUE_BITS)
        self._zeros = self.n - self._per_gene(self._keys)
        self._negatives = self._per_gene(self._keys[~_positive(self._keys)])
        self._ties = self._sum_by_gene(_gene_of(self._keys[_starts(self._keys)]), _tie_term(counts))

    def test(self, cells: NDArray[Any]) -> MannWhitney:
        """Test target cells [cells, genes] against the control."""
        n = len(cells)
        values, counts = _runs(np.sort(_keys(cells)))
        below = np.searchsorted(self._keys, values, side="left")
        equal = self._count_equal(values, below)
        gene = _gene_of(values)
        smaller = (below - self._first[gene]) + np.where(_positive(values), self._zeros[gene], 0.0)
        u = self._sum_by_gene(gene, counts * (smaller + 0.5 * equal))
        zeros = n - self._sum_by_gene(gene, counts)
        u += zeros * (self._negatives + 0.5 * self._zeros)
        ties = self._ties + _tie_term(zeros + self._zeros)
        tied = np.flatnonzero((equal > 0) | (counts > 1))  # others have a term of 0
        more, less = counts[tied] + equal[tied], equal[tied]
        ties += self._sum_by_gene(gene[tied], _tie_term(more) - _tie_term(less))
        p = _two_sided(u, n, self.n, ties)
        return MannWhitney(u, p, benjamini_hochberg(p))

    def _count_equal(self, values: NDArray[np.uint64], below: NDArray[np.int64]) -> NDArray[np.float64]:
        equal = np.zeros(len(values))
        if len(self._keys):
            found = np.flatnonzero(self._keys.take(below, mode="clip") == values)
            equal[found] = np.searchsorted(self._keys, values[found], side="right") - below[found]
        return equal

    def _per_gene(self, keys: NDArray[np.uint64]) -> NDArray[np.float64]:
        return np.bincount(_gene_of(keys), minlength=self.n_genes).astype(np.float64)

    def _sum_by_gene(self, gene: NDArray[np.int64], terms: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(gene, terms, minlength=self.n_genes).astype(np.float64)


def _keys(cells: NDArray[Any]) -> NDArray[np.uint64]:
    """Gene number and order-preserving value of every non-zero entry."""
    values = np.ascontiguousarray(cells, np.float32).ravel()
    filled = np.flatnonzero(values)
    bits = values.take(filled).view(np.uint32)
    keys = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    keys |= (filled % cells.shape[1]).astype(np.uint64) << _VALUE_BITS
    return np.asarray(keys)


def _gene_of(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (keys >> _VALUE_BITS).astype(np.int64)


def _positive(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    return np.asarray((keys & np.uint64(_SIGN)) != 0)


def _starts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)


def _runs(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Distinct values of sorted keys and how often each occurs."""
    starts = _starts(keys)
    return keys[starts], np.diff(np.r_[starts, len(keys)]).astype(np.float64)


def _tie_term(count: NDArray[np.float64]) -> NDArray[np.float64]:
    return count * (count * count - 1)


def _two_sided(u: NDArray[np.float64], n: int, m: int, ties: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal approximation of U with tie-corrected variance and continuity 0.5; 1 where all values tie."""
    from scipy.special import ndtr

    total = n + m
    variance = n * m / 12 * ((total + 1) - ties / (total * (total - 1)))
    above = np.maximum(u, n * m - u) - n * m / 2 - 0.5
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.minimum(2 * ndtr(-above / np.sqrt(variance)), 1.0)
    return np.where(variance > 0, p, 1.0)
