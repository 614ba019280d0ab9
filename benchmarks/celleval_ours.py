"""Our side of the cell-eval job: the same two h5ad files, the same columns.

python benchmarks/celleval_ours.py FOLDER PROFILE OUT
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import scipy.spatial.distance
import scipy.stats
from numpy.typing import NDArray

from harness.metrics import celleval
from harness.metrics.card import Undefined, Value
from harness.metrics.celleval_context import discrimination_score_l1
from harness.metrics.celleval_de import Genes, differential_expression, overlap_at_N
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls
from harness.metrics.moments import moments

IMPORTS = (scipy.spatial.distance, scipy.stats)
"""Loaded here and not at first use, so that imports are counted apart."""

Columns = dict[str, list[Value]]


class Sparse:
    """An h5ad file whose cells are read group by group."""

    def __init__(self, path: Path) -> None:
        self._file = h5py.File(path)
        column = self._file["obs"]["target_gene"]
        names = column["categories"].asstr()[:].tolist()
        codes = column["codes"][:]
        self.rows = {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}
        self.genes = self._file["var"][self._file["var"].attrs["_index"]].asstr()[:].tolist()
        self._starts = self._file["X"]["indptr"][:]

    def cells(self, label: str) -> NDArray[np.float32]:
        """The cells of a label, which stand together. [cells, genes]"""
        rows = self.rows[label]
        starts = self._starts[rows[0] : rows[-1] + 2]
        place = slice(int(starts[0]), int(starts[-1]))
        dense = np.zeros((len(rows), len(self.genes)), np.float32)
        at = np.repeat(np.arange(len(rows)), np.diff(starts))
        dense[at, self._file["X"]["indices"][place]] = self._file["X"]["data"][place]
        return dense


def vcc(real: Sparse, told: Sparse, labels: list[str], controls: Controls) -> Columns:
    """The columns of the challenge: mae, overlap, discrimination."""
    columns: Columns = {"mae": [], "overlap_at_N": []}
    means = []
    for label in labels:
        both = real.cells(label), told.cells(label)
        means.append([moments(cells).mean for cells in both])
        genes = [
            Genes.of(differential_expression(cells, controls, mean))
            for cells, mean in zip(both, means[-1], strict=True)
        ]
        columns["mae"].append(celleval.mae(*means[-1]))
        columns["overlap_at_N"].append(overlap_at_N(*genes))
    observed, predicted = np.array(means).swapaxes(0, 1) - controls.moments.mean
    own = celleval.own_genes(labels, real.genes)
    return columns | {"discrimination_score_l1": discrimination_score_l1(observed, predicted, own)}


def full(real: Sparse, told: Sparse, labels: list[str], controls: Controls) -> Columns:
    """Every column of the panel."""
    rows, totals, means = [], [], []
    for label in labels:
        condition = ConditionCells(real.cells(label), told.cells(label), controls)
        sides = [
            celleval.side(condition.observed, controls, condition.observed_moments.mean),
            celleval.side(condition.predicted, controls, condition.predicted_moments.mean),
        ]
        rows.append(celleval.condition_values(condition, *sides))
        totals.append([one if isinstance(one, Undefined) else one.totals for one in sides])
        means.append([condition.observed_moments.mean, condition.predicted_moments.mean])
    observed, predicted = np.array(means).swapaxes(0, 1)
    control = controls.moments.mean
    profiles = ContextProfiles(
        tuple(labels), ((),) * len(labels), observed, predicted, control, observed - control, predicted - control,
        np.zeros_like(control),
    )  # fmt: skip
    own = celleval.own_genes(labels, real.genes)
    context = celleval.context_values(profiles, own, *zip(*totals, strict=True))
    return {name: [row[name] for row in rows] for name in celleval.CONDITION_NAMES} | context


PROFILES: dict[str, Callable[[Sparse, Sparse, list[str], Controls], Columns]] = {"vcc": vcc, "full": full}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(folder: Path, profile: str, out: Path) -> None:
    imported = cpu_seconds()
    real, told = Sparse(folder / "real.h5ad"), Sparse(folder / "pred.h5ad")
    control = real.cells("non-targeting")
    if not np.array_equal(control, told.cells("non-targeting")):
        raise SystemExit("both sides are to share their controls")
    labels = sorted(set(real.rows) - {"non-targeting"})
    columns = PROFILES[profile](real, told, labels, Controls(control))
    plain = {
        name: [None if isinstance(value, Undefined) else value for value in values]
        for name, values in columns.items()
    }
    (out / "columns.json").write_text(json.dumps({"perturbation": labels} | plain))
    print(json.dumps({"import_cpu_s": imported}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
