"""What a perturbation is made of: `A+B` is A and B, a drug named `(+)-X` is itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset

DELIMITER = "+"


def constituents(dataset: PerturbDataset) -> dict[str, tuple[str, ...]]:
    """The constituents of each perturbation of a dataset; a single perturbation is its own only constituent.

    `A+B` counts as a combination when each part is a perturbation of the dataset or one of its target genes.
    """
    control = dataset.meta.control_label
    levels = [level for level in dataset.obs.pert.levels if level != control]
    known = set(levels)
    return {
        level: _parts(level, known | set(dataset.meta.perturbations.get(level, [])), control)
        for level in levels
    }


def combinations(dataset: PerturbDataset) -> list[str]:
    """Perturbations of two or more constituents that have cells, sorted."""
    made_of = constituents(dataset)
    measured = np.unique(dataset.obs.pert.codes[~dataset.obs.is_control])
    names = (dataset.obs.pert.levels[code] for code in measured)
    return sorted(name for name in names if len(made_of[name]) > 1)


def constituent_rows(dataset: PerturbDataset) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Perturbed rows, repeated once per constituent; the constituent of each as a code; the names of the codes."""
    made_of = constituents(dataset)
    names = sorted({part for parts in made_of.values() for part in parts})
    code = {name: i for i, name in enumerate(names)}
    width = max((len(parts) for parts in made_of.values()), default=1)
    table = np.full((len(dataset.obs.pert.levels), width), -1, np.int64)
    for i, level in enumerate(dataset.obs.pert.levels):
        parts = made_of.get(level, ())
        table[i, : len(parts)] = [code[part] for part in parts]
    per_row = table[dataset.obs.pert.codes]
    rows, column = np.nonzero(per_row >= 0)
    return rows, per_row[rows, column], names


def _parts(level: str, known: set[str], control: str) -> tuple[str, ...]:
    parts = [part for part in level.split(DELIMITER) if part != control]
    whole = len(parts) > 1 and all(part and part in known for part in parts)
    if not whole and DELIMITER in level and len(parts) == 1 and parts[0] in known:
        return (parts[0],)
    return tuple(sorted(set(parts))) if whole else (level,)
