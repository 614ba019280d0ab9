"""Our side of the PerturBench jobs: `four` (rmse, cosine and the ranks of both) or `full` (the whole panel).

python benchmarks/perturbench_ours.py FOLDER PERTURBATIONS four|full
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.spatial.distance
import scipy.special
from numpy.typing import NDArray

from harness.metrics import perturbench
from harness.metrics.card import Undefined, Value
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls
from harness.metrics.pca import chosen_rows, principal_axes
from harness.metrics.perturbench_aggregations import log_fold_change

IMPORTS = (scipy.linalg, scipy.spatial.distance, scipy.special)
"""Loaded here and not at first use, so that imports are counted apart."""
FOUR = ("rmse_average", "cosine_logfc")
NO_AXES = Undefined("not asked for")


class Inputs:
    """The arrays of a job, read a condition at a time: a block of rows of each file."""

    def __init__(self, folder: Path, n: int) -> None:
        self.controls = np.load(folder / "controls.npy")
        self._folder = folder
        self.n = n
        self.names = tuple(f"P{p:04d}" for p in range(n))

    def blocks(self, side: str) -> Iterator[NDArray[np.float32]]:
        """The cells of each condition. [cells, genes]"""
        path = self._folder / f"{side}.npy"
        array = np.load(path, mmap_mode="r")
        rows, n_genes = len(array) // self.n, array.shape[1]
        with path.open("rb") as file:
            file.seek(array.offset)
            for _ in range(self.n):
                yield np.fromfile(file, np.float32, rows * n_genes).reshape(rows, n_genes)

    def profiles(self) -> ContextProfiles:
        control = self.controls.mean(axis=0, dtype=np.float64)
        told, true = (np.empty((self.n, len(control))) for _ in range(2))
        for side, means in (("predicted", told), ("observed", true)):
            for mean, block in zip(means, self.blocks(side), strict=True):
                block.mean(axis=0, dtype=np.float64, out=mean)
        nothing = np.zeros(len(control))
        return ContextProfiles(
            self.names, ((),) * self.n, true, told, control, true - control, told - control, nothing
        )


def four(inputs: Inputs) -> dict[str, list[Value]]:
    """Both scores and their ranks and transposed ranks, from means alone."""
    profiles = inputs.profiles()
    values = perturbench.context_values(profiles, NO_AXES, metrics=FOUR)
    changes = [log_fold_change(side, profiles.control) for side in (profiles.predicted, profiles.observed)]
    values["rmse_average"] = [
        perturbench.rmse_average(*pair) for pair in zip(profiles.predicted, profiles.observed, strict=True)
    ]
    values["cosine_logfc"] = [perturbench.cosine_logfc(*pair) for pair in zip(*changes, strict=True)]
    return values


def full(inputs: Inputs) -> dict[str, list[Value]]:
    """The whole panel with the ranks of all its metrics."""
    controls = Controls(inputs.controls)
    reference = np.concatenate([*inputs.blocks("observed"), inputs.controls])
    axes = principal_axes(reference[chosen_rows(*reference.shape, seed=0)])
    del reference
    columns: dict[str, list[Value]] = {name: [] for name in perturbench.CONDITION_NAMES}
    sides: tuple[list[perturbench.Side], list[perturbench.Side]] = ([], [])
    for true, told in zip(inputs.blocks("observed"), inputs.blocks("predicted"), strict=True):
        pair = tuple(perturbench.side(cells, controls, axes, seed=0) for cells in (true, told))
        values = perturbench.condition_values(ConditionCells(true, told, controls), axes, *pair)
        for name, value in values.items():
            columns[name].append(value)
        for kept, one in zip(sides, pair, strict=True):
            kept.append(one.for_ranks(seed=0))
    return columns | perturbench.context_values(inputs.profiles(), axes, *sides)


def main() -> None:
    imported = _cpu_seconds()
    folder, n, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    columns = {"four": four, "full": full}[what](Inputs(folder, n))
    means = {
        name: float(np.mean([value for value in values if not isinstance(value, Undefined)]))
        for name, values in columns.items()
    }
    print(json.dumps({"import_cpu_s": imported, "means": means}))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
