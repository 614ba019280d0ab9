"""The rules on the values of matrices, applied block by block so that no whole array is ever in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.faults import SHOWN, Fault, plural

BLOCK_BYTES = 8 << 20
Mask = NDArray[np.bool_]


@dataclass
class Tally:
    """Counts, by row and gene, of the values that break one rule."""

    n_values: int = 0
    n_rows: int = 0
    rows: list[int] = field(default_factory=list)
    by_gene: NDArray[np.int64] | None = None
    example: float | None = None

    def add(self, broken: Mask, values: NDArray[Any], start: int) -> None:
        """Count one block of rows that starts at row `start` of the file."""
        if not broken.any():
            return
        per_row = broken.sum(axis=1)
        rows = np.flatnonzero(per_row)
        self.n_values += int(per_row.sum())
        self.n_rows += len(rows)
        self.rows += [start + int(row) for row in rows[: SHOWN - len(self.rows)]]
        per_gene = broken.sum(axis=0)
        self.by_gene = per_gene if self.by_gene is None else self.by_gene + per_gene
        if self.example is None:
            self.example = float(values[broken][0])

    def fault(self, member: str, what: str, expected: str, mend: str, genes: Sequence[str] | None) -> Fault:
        """The tally as one sentence."""
        columns = [] if self.by_gene is None else [int(g) for g in np.flatnonzero(self.by_gene)]
        got = (
            f"{plural(self.n_values, 'value')} in {plural(self.n_rows, 'row')} "
            f"and {plural(len(columns), 'gene')}, the first is {self.example:g}"
        )
        shown = [genes[g] if genes is not None else f"#{g}" for g in columns[:SHOWN]]
        return Fault(member, what, got, expected, mend, tuple(self.rows), tuple(shown))


def row_blocks(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Blocks of rows with the number of their first row."""
    step = max(1, BLOCK_BYTES // max(1, array.itemsize * array.shape[1]))
    for start in range(0, array.shape[0] if array.size else 0, step):
        yield start, array[start : start + step]


def as_float32(array: NDArray[Any], scratch: Path | None) -> NDArray[np.float32]:
    """The same values as little-endian, row-major float32: the map itself, or a cast of it in a nameless scratch file."""
    if array.dtype == np.dtype("<f4") and array.flags.c_contiguous:
        return array
    with tempfile.TemporaryFile(dir=scratch) as cast, np.errstate(over="ignore", invalid="ignore"):
        for _, block in row_blocks(array):
            cast.write(np.ascontiguousarray(block, "<f4").data)
        cast.flush()
        return np.memmap(cast, "<f4", mode="r", shape=array.shape)


def check_matrix(
    member: str, matrix: NDArray[np.float32], *, negative: bool, genes: Sequence[str] | None
) -> list[Fault]:
    """Every value finite and, unless `negative` values are allowed, none below zero."""
    not_finite, below_zero = Tally(), Tally()
    for start, block in row_blocks(matrix):
        low, high = block.min(), block.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            not_finite.add(~np.isfinite(block), block, start)
        if not negative and not low >= 0:
            below_zero.add(np.isfinite(block) & (block < 0), block, start)
    finite = ("holds NaN or Inf", "finite float32 numbers", "look for a division by zero or an overflow")
    signed = ("is negative", "0 or more", "a variance is a square: take exp or softplus of the raw output")
    return [
        tally.fault(member, what, wanted, mend, genes)
        for tally, (what, wanted, mend) in ((not_finite, finite), (below_zero, signed))
        if tally.n_values
    ]


def check_epistemic(
    epistemic: NDArray[np.float32], var: NDArray[np.float32], genes: Sequence[str] | None
) -> list[Fault]:
    """Model uncertainty is a part of the variance: nowhere larger than the whole, but for rounding."""
    tally = Tally()
    for start, part in row_blocks(epistemic):
        whole = var[start : start + len(part)]
        with np.errstate(invalid="ignore", over="ignore"):
            larger = part > whole * np.float32(1 + 1e-5) + np.float32(1e-12)
        tally.add(larger, part, start)
    if not tally.n_values:
        return []
    mend = "var is the total: aleatoric + epistemic"
    return [tally.fault("epistemic", "is larger than var", "0 ≤ epistemic ≤ var", mend, genes)]
