"""Predictions that another program wrote as an `.h5ad` file of cells, turned into effects of a task's query rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.metrics.labels import listed
from harness.scoring.outside_file import READ_ROWS, CellFile, Source, refuse_unchanged
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth

OnMissing = Literal["refuse", "control"]
SUSPECT = 0.5
"""Share of predicted rows, or of conditions, that may coincide with something known before a file is refused."""
EQUAL_MEANS = 1e-6
"""Largest difference, in every gene, at which two means are the same."""


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
        reader = CellFile(source, task.card, Path(scratch))
        notes = list(reader.notes)
        of_row, left_out, foreign = reader.conditions(asked)
        notes += left_out
        refuse_unchanged(source.path, reader, of_row, asked)
        sums = _sum_cells(reader, of_row, len(asked), progress)
    absent = [str(asked[i]) for i in np.flatnonzero(sums.count == 0).tolist() if len(_query_rows(truth, i))]
    if absent and (missing == "refuse" or len(absent) == len(asked)):
        others = f"; the file has others: {listed(foreign)}" if foreign else ""
        raise HarnessError(
            f"{len(absent)} of {len(asked)} conditions of the task are not predicted",
            where=source.path,
            got=f"missing: {listed(absent)}{others}",
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


def _sum_cells(
    reader: CellFile,
    of_row: NDArray[np.int64],
    n_conditions: int,
    progress: Callable[[int, int], None] | None,
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
    with np.errstate(over="ignore"):  # half precision: a file that was rounded is no other file
        plain = np.asarray(cells, np.float32).astype(np.float16) + np.float16(0)  # −0 is 0
    return [blake2b(row.tobytes(), digest_size=12).digest() for row in plain]


def _query_rows(truth: Truth, condition: int) -> NDArray[np.int64]:
    rows = truth.query_row[truth.query_condition == condition]
    return np.asarray(rows[rows >= 0], np.int64)
