"""A run as the two `.h5ad` files that cell-eval itself reads, so that anyone can run the original on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.metrics.inputs import Cells
from harness.parity.export import ContextCase, context_cases, open_cells
from harness.records.run_folder import RunFolder
from harness.settings import Settings
from harness.storage import new_folder

PERT_COLUMN = "target_gene"
CONTEXT_COLUMN = "cell_type"
HIGHEST = 15.0
"""The original refuses expression from here on."""


@dataclass(frozen=True)
class CellevalFiles:
    """What was written."""

    folder: Path
    control_label: str
    contexts: int
    conditions: int
    observed_cells: int
    predicted_cells: int
    control_cells: int
    """In each file; both sides share them."""
    clipped: int
    """Negative predicted values that were set to 0, because the original refuses them."""
    values: int
    """Predicted values in all."""

    @property
    def command(self) -> str:
        """How the original is run on the files."""
        return (
            f"cell-eval run -ap {self.folder / 'pred.h5ad'} -ar {self.folder / 'real.h5ad'} "
            f"--control-pert {self.control_label!r} --pert-col {PERT_COLUMN} --celltype-col {CONTEXT_COLUMN}"
        )


def export_celleval(run: RunFolder, out: Path, settings: Settings) -> CellevalFiles:
    """Write `pred.h5ad` and `real.h5ad`. The sealed truth is opened, which for a test task is entered in the ledger."""
    cells = open_cells(run, settings)
    variance = (run.metrics() or {}).get("variance", {})
    cells = replace(cells, noisy=variance == {"source": "native", "kind": "cell"})
    meta = cells.dataset.meta
    if meta.unit != "cell":
        raise HarnessError(
            "cell-eval compares cells",
            where=run.path,
            got=f"dataset {meta.name} of {meta.unit}s",
            mend="harness parity export writes means for other programs",
        )
    with new_folder(out, kind="cell-eval files") as folder:
        pred, real = (
            _H5adRows(folder / f"{name}.h5ad", list(cells.dataset.genes)) for name in ("pred", "real")
        )
        contexts = clipped = values = 0
        counts = np.zeros(4, np.int64)
        for case in context_cases(cells):
            _refuse_other_scales(case)
            contexts += 1
            for writer in (pred, real):
                writer.add(case.controls, case.control_label, case.context)
            for label, observed, predicted in zip(case.labels, case.observed, case.predicted, strict=True):
                clipped += int((predicted < 0).sum())
                values += predicted.size
                real.add(observed, label, case.context)
                pred.add(np.maximum(predicted, 0), label, case.context)
                counts += [1, len(observed), len(predicted), 0]
            counts[3] += len(case.controls)
        for writer in (pred, real):
            writer.close()
    conditions, observed_cells, predicted_cells, control_cells = counts.tolist()
    return CellevalFiles(
        out,
        meta.control_label,
        contexts,
        conditions,
        observed_cells,
        predicted_cells,
        control_cells,
        clipped,
        values,
    )


def _refuse_other_scales(case: ContextCase) -> None:
    """The original reads log1p expression and nothing else."""
    groups: Iterator[Cells] = (cells for cells in (case.controls, *case.observed) if len(cells))
    ends = [(float(cells.min()), float(cells.max())) for cells in groups]
    lowest, highest = min(low for low, _ in ends), max(high for _, high in ends)
    if lowest < 0 or highest >= HIGHEST:
        raise HarnessError(
            "cell-eval refuses this expression",
            where=case.context,
            got=f"values from {lowest:g} to {highest:g}",
            expected=f"log1p expression, at least 0 and below {HIGHEST:g}",
        )


class _H5adRows:
    """An `.h5ad` file with sparse rows, written group by group.

    Values are float64, because the original adds up in the precision of the file.
    """

    def __init__(self, path: Path, genes: list[str]) -> None:
        import h5py

        self._path, self._genes = path, genes
        self._labels: list[str] = []
        self._contexts: list[str] = []
        self._starts = [np.zeros(1, np.int64)]
        self._file = h5py.File(path, "w")
        group = self._file.create_group("X")
        self._data = group.create_dataset("data", (0,), "f8", maxshape=(None,), chunks=(1 << 16,))
        self._indices = group.create_dataset("indices", (0,), "i4", maxshape=(None,), chunks=(1 << 16,))

    def add(self, cells: NDArray[Any], label: str, context: str) -> None:
        """Append the cells of one label."""
        row, gene = np.nonzero(cells)
        before = self._data.shape[0]
        for dataset, part in ((self._data, cells[row, gene]), (self._indices, gene)):
            dataset.resize((before + len(part),))
            dataset[before:] = part
        ends = np.cumsum(np.bincount(row, minlength=len(cells)))
        self._starts.append(before + ends)
        self._labels += [label] * len(cells)
        self._contexts += [context] * len(cells)

    def close(self) -> None:
        """Write the tables, which make the rows an annotated matrix."""
        import anndata
        import pandas as pd

        n = len(self._labels)
        matrix = self._file["X"]
        matrix["indptr"] = np.concatenate(self._starts)
        matrix.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        matrix.attrs["shape"] = np.array([n, len(self._genes)])
        self._file.close()
        columns = {PERT_COLUMN: pd.Categorical(self._labels), CONTEXT_COLUMN: pd.Categorical(self._contexts)}
        obs = pd.DataFrame(columns, index=[f"cell{i}" for i in range(n)])
        tables = self._path.with_suffix(".tables")
        anndata.AnnData(obs=obs, var=pd.DataFrame(index=self._genes)).write_h5ad(tables)
        _copy_tables(tables, self._path)
        tables.unlink()


def _copy_tables(source: Path, target: Path) -> None:
    import h5py

    with h5py.File(source) as tables, h5py.File(target, "r+") as file:
        file.attrs.update(tables.attrs)
        for name in tables:
            if name != "X":
                tables.copy(name, file)
