"""The two tables of a task, rows of the dataset by reference, and their plain form: `X.npy`, `obs.tsv`, `obsm/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.npy import create_array
from harness.datasets.obs import Labels
from harness.digest import BLOCK_BYTES

TEXT_BLOCK = 1 << 16
Progress = Callable[[str, int, int], None]
"""Called with (what is being written, rows done, rows in all)."""


@dataclass(frozen=True)
class Table:
    """Rows of a dataset with the columns that are told of them."""

    rows: NDArray[np.int64]  # [n], dataset row of each table row; −1: zeros stand in
    columns: Mapping[str, Labels | NDArray[np.int64]]  # each [n], in file order

    def __len__(self) -> int:
        return len(self.rows)

    def text(self, block: slice) -> list[list[str]]:
        """The columns of some rows as they stand in a plain table."""
        return [
            [str(v) for v in (column.names(block) if isinstance(column, Labels) else column[block])]
            for column in self.columns.values()
        ]


def write_folder(folder: Path, dataset: PerturbDataset, table: Table, progress: Progress | None) -> None:
    """Write a table as plain files."""
    folder.mkdir(parents=True)
    write_text_table(folder / "obs.tsv", table)
    for file, source in arrays_of(dataset).items():
        dtype = source.dtype.newbyteorder("<").str
        target = create_array(folder / file, dtype, (len(table), source.shape[1]))
        for rows, block in blocks(source, table.rows, f"{folder.name}/{file}", progress):
            target[rows] = block
        if isinstance(target, np.memmap):
            target.flush()


def write_text_table(path: Path, table: Table) -> None:
    """Write the columns as UTF-8, tab separated, with a header and without quoting."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write("\t".join(table.columns) + "\n")
        for start in range(0, len(table), TEXT_BLOCK):
            cells = zip(*table.text(slice(start, start + TEXT_BLOCK)), strict=True)
            handle.writelines("\t".join(line) + "\n" for line in cells)


def arrays_of(dataset: PerturbDataset) -> dict[str, NDArray[Any]]:
    """The arrays whose rows cross the wall, by file name in the plain form."""
    counts = {} if dataset.counts is None else {"counts.npy": dataset.counts}
    return {"X.npy": dataset.X, **counts, **{f"obsm/{name}.npy": a for name, a in dataset.obsm.items()}}


def blocks(
    source: NDArray[Any], rows: NDArray[np.int64], what: str, progress: Progress | None
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Copies of the named rows of an array, a block at a time, so that memory stays bounded."""
    step = max(1, BLOCK_BYTES // max(1, source.shape[1] * source.dtype.itemsize))
    for start in range(0, len(rows), step):
        wanted = rows[start : start + step]
        block = np.asarray(source[np.maximum(wanted, 0)])
        block[wanted < 0] = 0
        yield slice(start, start + len(wanted)), block
        if progress is not None:
            progress(what, start + len(wanted), len(rows))
