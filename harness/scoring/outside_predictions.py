"""Predictions that another program wrote as an `.h5ad` file of cells, turned into effects of a task's query rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import TaskCard
from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Condition
from harness.errors import HarnessError
from harness.metrics.labels import listed
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth

OnMissing = Literal["refuse", "control"]
SUSPECT = 0.5
"""Share of predicted rows, or of conditions, that may coincide with something known before a file is refused."""
EQUAL_MEANS = 1e-6
"""Largest difference, in every gene, at which two means are the same."""
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
    """`X`, `layers/NAME`, or `obsm/NAME` where its columns are the genes of the file."""


@dataclass(frozen=True)
class Imported:
    """Effects of every query row."""

    mean: NDArray[np.float32]  # [query rows, genes]
    supported: NDArray[np.uint8]  # [query rows]; 0 where the file does not speak of a condition
    notes: tuple[str, ...]


@dataclass
class _Sums:
    """What is read of the file: sums of its cells by condition, and fingerprints of the rows."""

    total: NDArray[np.float64]
    count: NDArray[np.int64]
    rows: list[bytes] = field(default_factory=list)
    whole: bool = True
    """Every value so far is a whole number."""


def import_h5ad(
    source: Source,
    dataset: PerturbDataset,
    task: Task,
    *,
    missing: OnMissing = "refuse",
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Mean of a condition's predicted cells − mean of its query rows' own control cells, for each of its rows.

    Control cells of the file are left out: the harness owns the controls. The truth is opened, to refuse a file that
    repeats it: for a test task, enter that in the ledger first.
    """
    truth = load_truth(task)
    asked = [one.condition for one in truth.conditions]
    with tempfile.TemporaryDirectory(prefix="harness-import-") as scratch:
        reader = _Reader(source, task.card, Path(scratch))
        notes = list(reader.notes)
        of_row, left_out = reader.conditions(asked)
        notes += left_out
        sums = _sum_cells(reader, of_row, len(asked), progress)
    absent = [str(asked[i]) for i in np.flatnonzero(sums.count == 0).tolist() if len(_query_rows(truth, i))]
    if absent and (missing == "refuse" or len(absent) == len(asked)):
        raise HarnessError(
            f"{len(absent)} of {len(asked)} conditions of the task are not predicted",
            where=source.path,
            got=f"missing: {listed(absent)}",
            expected="every condition of the task's query table, under the names it has there",
            mend="predict them, or accept no effect in their place with --missing control",
        )
    if absent:
        notes.append(f"{len(absent)} conditions are missing and get no effect: {listed(absent)}")
    if sums.whole and task.card.x_kind == "log_normalised":
        raise HarnessError(
            "predicted values are whole numbers",
            where=source.path,
            expected="log-normalised expression, as the task holds it",
            mend="normalise to 10,000 counts a cell and take log1p",
        )
    effects, basal, predicted = _effects(dataset, truth, sums)
    _refuse_known(source.path, dataset, truth, sums, basal, predicted)
    told = sums.count > 0
    return Imported(
        effects[truth.query_condition].astype(np.float32),
        np.where(told, 2, 0).astype(np.uint8)[truth.query_condition],
        tuple(notes),
    )


class _Reader:
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
                got=", ".join(["X", *(f"layers/{name}" for name in file.get("layers", ()))]),
                mend="name the matrix that holds the predictions with --matrix",
            )
        self._matrix = open_matrix(file[source.matrix], scratch)
        self._obs = H5Table(file, "obs")
        self._order, self.notes = _gene_order(
            H5Table(file, "var").index().to_pylist(), card.genes, source.path
        )
        if self._matrix.shape[1] <= int(self._order.max()):
            raise HarnessError(
                f"matrix {source.matrix!r} has other columns than the file has genes",
                where=source.path,
                got=f"{self._matrix.shape[1]} columns",
                mend="export it with the genes it was made for, as X",
            )

    @property
    def n_rows(self) -> int:
        return self._matrix.shape[0]

    def conditions(self, asked: Sequence[Condition]) -> tuple[NDArray[np.int64], list[str]]:
        """For each row the position of its condition among those asked for, −1 for others; and what was left out."""
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
        return of_row, notes

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


def _sum_cells(
    reader: _Reader, of_row: NDArray[np.int64], n_conditions: int, progress: Callable[[int, int], None] | None
) -> _Sums:
    sums: _Sums | None = None
    for start, rows in reader.blocks():
        if sums is None:
            sums = _Sums(np.zeros((n_conditions, rows.shape[1])), np.zeros(n_conditions, np.int64))
        owner = of_row[start : start + len(rows)]
        used = rows[owner >= 0]
        np.add.at(sums.total, owner[owner >= 0], used.astype(np.float64))
        sums.count += np.bincount(owner[owner >= 0], minlength=n_conditions)
        sums.rows += _fingerprints(used)
        sums.whole = sums.whole and not (used % 1).any()
        if progress is not None:
            progress(start + len(rows), reader.n_rows)
    if sums is None:
        raise HarnessError("the file holds no cells", mend="write the predicted cells as rows of X")
    return sums


def _effects(
    dataset: PerturbDataset, truth: Truth, sums: _Sums
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Effect, mean control of the query rows, and mean prediction of each condition; no effect where it is missing."""
    basal = np.zeros_like(sums.total)
    for i in range(len(truth.conditions)):
        rows = _query_rows(truth, i)
        if len(rows):
            basal[i] = np.asarray(dataset.X[rows]).mean(axis=0, dtype=np.float64)
    told = (sums.count > 0)[:, None]
    predicted = np.where(told, sums.total / np.maximum(sums.count, 1)[:, None], basal)
    return predicted - basal, basal, predicted


def _refuse_known(
    path: Path,
    dataset: PerturbDataset,
    truth: Truth,
    sums: _Sums,
    basal: NDArray[np.float64],
    predicted: NDArray[np.float64],
) -> None:
    """Refuse a file whose cells or means are those of the task's input, of other controls, or of the truth."""
    told = np.flatnonzero(sums.count > 0)
    obs = dataset.obs
    contexts = {truth.conditions[i].condition.context for i in told.tolist()}
    of_context = {
        name: np.flatnonzero(obs.is_control & (obs.context.codes == obs.context.code(name)))
        for name in contexts
    }
    hidden = [truth.conditions[i].rows for i in told.tolist()]
    known = {
        "the task's input": (truth.query_row[truth.query_row >= 0], basal[told]),
        "control cells": (
            np.concatenate(list(of_context.values())),
            _means(dataset, [of_context[truth.conditions[i].condition.context] for i in told.tolist()]),
        ),
        "the truth": (np.concatenate(hidden), _means(dataset, hidden)),
    }
    for name, (rows, means) in known.items():
        seen = _fingerprints_of(dataset, np.unique(rows))
        cells = sum(row in seen for row in sums.rows) / len(sums.rows)
        equal = np.abs(predicted[told] - means).max(axis=1) <= EQUAL_MEANS
        conditions = float(equal.mean())
        if max(cells, conditions) >= SUSPECT:
            what = f"{cells:.0%} of the cells" if cells >= conditions else f"{conditions:.0%} of the means"
            raise HarnessError(
                f"this prediction is {name}",
                where=path,
                got=f"{what} are equal to {name}",
                expected="cells that a model predicted",
                mend="look for the matrix that the model wrote: programs leave what they were given in X",
            )


def _means(dataset: PerturbDataset, groups: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Mean of each group of rows; infinite for empty ones, which nothing equals."""
    kept: dict[bytes, NDArray[np.float64]] = {}
    out = []
    for rows in groups:
        key = rows.tobytes()
        if key not in kept:
            cells = np.asarray(dataset.X[rows])
            kept[key] = cells.mean(axis=0, dtype=np.float64) if len(rows) else np.full(cells.shape[1], np.inf)
        out.append(kept[key])
    return np.stack(out)


def _fingerprints_of(dataset: PerturbDataset, rows: NDArray[np.int64]) -> set[bytes]:
    seen: set[bytes] = set()
    for start in range(0, len(rows), READ_ROWS):
        seen.update(_fingerprints(np.asarray(dataset.X[rows[start : start + READ_ROWS]])))
    return seen


def _fingerprints(cells: NDArray[np.float32]) -> list[bytes]:
    plain = np.ascontiguousarray(cells, np.float32) + np.float32(0)  # −0 is 0
    return [blake2b(row.tobytes(), digest_size=12).digest() for row in plain]


def _query_rows(truth: Truth, condition: int) -> NDArray[np.int64]:
    rows = truth.query_row[truth.query_condition == condition]
    return np.asarray(rows[rows >= 0], np.int64)
