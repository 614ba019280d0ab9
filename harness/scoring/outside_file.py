"""An `.h5ad` file of predicted cells: which rows answer which condition, and its matrix in the task's gene order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import TaskCard
from harness.datasets.obs import Condition
from harness.errors import HarnessError
from harness.metrics.labels import listed

READ_ROWS = 4096


@dataclass(frozen=True)
class Source:
    """An `.h5ad` file, and where in it things stand."""

    path: Path
    pert_column: str = "target_gene"
    context_column: str | None = "cell_type"
    """None: all cells are of the task's only context."""
    covariate_columns: tuple[str, ...] = ()
    control_label: str = "non-targeting"
    matrix: str = "X"
    """`X`, `layers/NAME`, or `obsm/NAME`."""
    genes: tuple[str, ...] | None = None
    """What the matrix's columns are, where the file does not say; None: the genes of the file, in its order."""
    input_matrix: str | None = None
    """The matrix in which the program leaves the cells that it was given; a prediction equal to it is none."""


class CellFile:
    """Rows of the file in the task's gene order."""

    def __init__(self, source: Source, card: TaskCard, scratch: Path) -> None:
        import h5py

        from harness.datasets.importers.h5_matrix import open_matrix
        from harness.datasets.importers.h5_table import H5Table

        self._source, self._card = source, card
        file = h5py.File(source.path)
        if source.matrix not in file:
            raise HarnessError(
                f"no matrix {source.matrix!r}",
                where=source.path,
                got=", ".join(
                    ["X", *(f"{kind}/{name}" for kind in ("layers", "obsm") for name in file.get(kind, ()))]
                ),
                mend="name the matrix that holds the predictions with --matrix",
            )
        self._matrix = open_matrix(file[source.matrix], scratch)
        told = source.input_matrix
        (scratch / "input").mkdir()
        given = open_matrix(file[told], scratch / "input") if told is not None and told in file else None
        self.input = given if given is not None and given.shape == self._matrix.shape else None
        self._obs = H5Table(file, "obs")
        named = list(source.genes or H5Table(file, "var").index().to_pylist())
        _refuse_unnamed(source, named, self._matrix.shape[1])
        self._order, self.notes = _gene_order(named, card.genes, source.path)
        if source.genes is None and source.matrix.startswith("obsm/"):
            self.notes.append(
                f"the columns of {source.matrix} are taken for the genes of the file, in its order"
            )

    @property
    def n_rows(self) -> int:
        return self._matrix.shape[0]

    def conditions(self, asked: Sequence[Condition]) -> tuple[NDArray[np.int64], list[str], list[str]]:
        """For each row the position of its condition among those asked for, −1 for others; what was left out; the others."""
        named = self._column(self._source.pert_column)
        only = {condition.context for condition in asked}
        if self._source.context_column is None:
            if len(only) > 1:
                raise HarnessError(
                    "the file names no contexts, and the task has several",
                    where=self._source.path,
                    got=listed(sorted(only)),
                    mend="name the column of contexts with --context-col",
                )
            contexts = [next(iter(only))] * len(named)
        else:
            contexts = self._column(self._source.context_column)
        covariates = zip(*(self._column(name) for name in self._source.covariate_columns), strict=True)
        rest = list(covariates) if self._source.covariate_columns else [()] * len(named)
        position = {condition: i for i, condition in enumerate(asked)}
        keys = [Condition(c, p, tuple(r)) for c, p, r in zip(contexts, named, rest, strict=True)]
        of_row = np.array([position.get(key, -1) for key in keys], np.int64)
        controls = np.array([pert == self._source.control_label for pert in named])
        notes = [f"{controls.sum()} control cells of the file are left out"] if controls.any() else []
        foreign = sorted({str(keys[i]) for i in np.flatnonzero((of_row < 0) & ~controls).tolist()})
        if foreign:
            notes.append(f"{len(foreign)} conditions that are not asked for are left out: {listed(foreign)}")
        of_row[controls] = -1
        return of_row, notes, foreign

    def pairs(self) -> Iterator[tuple[int, Any, Any]]:
        """(first row, predicted rows, the rows that the program was given), sparse, as they stand in the file."""
        if self.input is not None:
            for (start, told), (_, given) in zip(self._matrix.blocks(), self.input.blocks(), strict=True):
                yield start, told, given

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(first row, rows) in the task's gene order; values that are no numbers are refused."""
        for start, block in self._matrix.blocks():
            for first in range(0, block.shape[0], READ_ROWS):
                rows = block[first : first + READ_ROWS].toarray()[:, self._order]
                if not np.isfinite(rows).all():
                    raise HarnessError(
                        "predictions hold values that are no numbers",
                        where=f"{self._source.path}, rows from {start + first}",
                        mend="predict a finite value for every gene of every cell",
                    )
                yield start + first, np.asarray(rows, np.float32)

    def _column(self, name: str) -> list[str]:
        from harness.datasets.importers.h5_table import as_text

        if name not in self._obs.names:
            raise HarnessError(
                f"no column {name!r} in obs",
                where=self._source.path,
                got=listed(self._obs.names),
                mend="name the columns with --pert-col, --context-col and --covariate-col",
            )
        return [str(value) for value in as_text(self._obs[name]).to_pylist()]


def _refuse_unnamed(source: Source, named: list[str], columns: int) -> None:
    """Refuse a matrix whose columns are not the named genes: another number of them, or numbers for names."""
    if len(named) != columns:
        raise HarnessError(
            f"nobody says which genes the columns of {source.matrix!r} are",
            where=source.path,
            got=f"{columns} columns, {len(named)} genes {'in the list' if source.genes else 'in the file'}",
            expected="as many genes as columns",
            mend="give their names in order with --genes FILE, one a line",
        )
    if source.genes is None and columns > 1 and named == [str(i) for i in range(columns)]:
        raise HarnessError(
            "the genes of the file have lost their names",
            where=source.path,
            got=f"0 … {columns - 1}",
            expected="gene names; `state tx predict` drops them",
            mend="give the names in order with --genes FILE, one a line",
        )


def refuse_unchanged(
    path: Path, reader: CellFile, of_row: NDArray[np.int64], asked: Sequence[Condition]
) -> None:
    """Refuse predicted cells that are the very cells the program was given."""
    left: set[int] = set()
    cells = 0
    for start, told, given in reader.pairs():
        owner = of_row[start : start + told.shape[0]]
        changed = np.asarray(abs(told - given).max(axis=1).todense()).ravel() > 0
        empty = np.diff(given.indptr) == 0
        rows = np.flatnonzero((owner >= 0) & ~changed & ~empty)
        cells += len(rows)
        left.update(owner[rows].tolist())
    if cells:
        raise HarnessError(
            "this prediction is its own input",
            where=path,
            got=f"{cells} cells are as the program was given them: {listed([str(asked[i]) for i in sorted(left)])}",
            expected="cells that a model predicted",
            mend="STATE leaves cells unchanged where it finds no controls: pass --control-pert with the label of the "
            "data, and see that its line `Cells:` says control= more than 0",
        )


def _gene_order(found: list[str], genes: list[str], path: Path) -> tuple[NDArray[np.int64], list[str]]:
    """Columns of the task's genes, matched by name; what was not in order is said."""
    position = {gene: i for i, gene in enumerate(found)}
    lacking = [gene for gene in genes if gene not in position]
    repeated = sorted({gene for gene in genes if found.count(gene) > 1}) if len(position) < len(found) else []
    if lacking or repeated:
        faults = [
            f"{len(names)} {word}: {listed(names)}"
            for word, names in (("missing", lacking), ("repeated", repeated))
            if names
        ]
        raise HarnessError(
            "the file does not hold each gene of the task once",
            where=path,
            got="; ".join(faults),
            expected=f"the {len(genes)} genes of the task, by name, in any order",
        )
    order = np.array([position[gene] for gene in genes], np.int64)
    notes = []
    if len(found) > len(genes):
        notes.append(f"{len(found) - len(genes)} genes that the task does not have are left out")
    if (np.diff(order) < 0).any():
        notes.append("genes were put into the task's order by name")
    return order, notes
