"""What the values of a source are, and how counts become log-normalised expression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harness.datasets.meta import XKind

ValueKind = Literal["counts", "normalised", "log_normalised", "delta", "zscore", "log2_expression", "rank"]
"""`normalised` is scaled but not logged (CPM, TPM); it is rescaled and logged like counts, without counts kept."""
LARGEST_LOG = 50.0
"""No logarithm of a count gets near it."""
STATED_KINDS: dict[object, ValueKind] = {
    **{kind: kind for kind in get_args(ValueKind)},
    "rank_normal_score": "rank",
    "rank_top1000_up": "rank",
}
NON_NEGATIVE = ("counts", "normalised", "log_normalised")


@dataclass
class ValueSummary:
    """What one pass over a matrix found."""

    totals: NDArray[np.float64]  # [rows]
    largest: float = 0.0
    n_values: int = 0
    n_fractional: int = 0
    n_negative: int = 0
    n_not_finite: int = 0
    examples: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    """The first (row, column, value) of each kind of oddity."""

    def add(self, start: int, block: sparse.csr_array) -> None:
        """Take in the rows from `start` on."""
        data = block.data
        self.totals[start : start + block.shape[0]] = block.sum(axis=1, dtype=np.float64)
        if not len(data):
            return
        self.n_values += len(data)
        lost, negative = ~np.isfinite(data), data < 0
        self.n_not_finite += self._count("not finite", start, block, lost)
        self.n_negative += self._count("negative", start, block, negative)
        if lost.any():
            data = data[~lost]
        self.n_fractional += int(np.count_nonzero(data != np.floor(data)))
        if len(data):
            self.largest = max(self.largest, float(data.max()))

    def _count(self, oddity: str, start: int, block: sparse.csr_array, odd: NDArray[np.bool_]) -> int:
        count = int(np.count_nonzero(odd))
        if count and oddity not in self.examples:
            place = int(np.flatnonzero(odd)[0])
            row = int(np.searchsorted(block.indptr, place, side="right")) - 1
            self.examples[oddity] = (start + row, int(block.indices[place]), float(block.data[place]))
        return count


def judge_values(summary: ValueSummary, told: ValueKind | None) -> tuple[ValueKind, list[str]]:
    """The kind of the values, and the faults that speak against it."""
    faults: list[str] = []
    if summary.n_not_finite:
        faults.append(f"{_values(summary.n_not_finite)} NaN or infinite ({_example(summary, 'not finite')})")
    kind: ValueKind = told or ("log_normalised" if summary.n_fractional else "counts")
    if summary.n_negative and kind in NON_NEGATIVE:
        faults.append(
            f"{_values(summary.n_negative)} negative ({_example(summary, 'negative')}), "
            + (
                f"but {kind} were told"
                if told
                else "so these are neither counts nor log-normalised values; say values=delta, zscore, …"
            )
        )
    if kind == "counts" and summary.n_fractional:
        faults.append(
            f"{summary.n_fractional} of {summary.n_values} non-zero values are not whole numbers, but counts were told"
        )
    if kind == "counts" and summary.largest > np.iinfo(np.uint32).max:
        faults.append(f"the largest count is {summary.largest:g}, more than 32 bits hold")
    if kind == "log_normalised" and summary.largest > LARGEST_LOG:
        faults.append(
            f"values are not whole and reach {summary.largest:g}: neither counts nor logarithms of them; "
            "say values=normalised if they are scaled but not logged, or name the layer with counts"
        )
    if not summary.n_values and kind in NON_NEGATIVE:
        faults.append("every value is zero")
    return kind, faults


def x_kind_of(kind: ValueKind) -> XKind:
    """What X of the artifact holds when the source holds this."""
    return "log_normalised" if kind == "counts" or kind == "normalised" else kind


def log_normalise(
    block: sparse.csr_array, totals: NDArray[np.float64], target_sum: float
) -> sparse.csr_array:
    """`log1p(target_sum · x / total)` of each row; a row without counts stays zero. [rows, genes]"""
    scale = np.divide(target_sum, totals, out=np.zeros_like(totals), where=totals > 0)
    data = np.log1p(block.data * np.repeat(scale, np.diff(block.indptr)))
    return sparse.csr_array((data, block.indices, block.indptr), shape=block.shape)


def smallest_unsigned(largest: float) -> str:
    """The smallest unsigned type that holds a count."""
    candidates: tuple[type[np.unsignedinteger[Any]], ...] = (np.uint8, np.uint16, np.uint32)
    return next(np.dtype(kind).str for kind in candidates if largest <= np.iinfo(kind).max)


def _values(n: int) -> str:
    return "1 value is" if n == 1 else f"{n} values are"


def _example(summary: ValueSummary, oddity: str) -> str:
    row, column, value = summary.examples[oddity]
    return f"first: {value:g} in row {row}, column {column}"
