"""Growing training sets over one fixed test: how much do more data help?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.splits.assignment import ASIDE, IID, TRAIN, Assignment, stream
from harness.splits.generators import context_ood
from harness.splits.leaks import conditions_apart, contexts_apart, perturbations_seen

RULES = (conditions_apart, contexts_apart, perturbations_seen)
FRACTIONS = (0.1, 0.25, 0.5, 1.0)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    train_fraction: float | None = None,
    by: Literal["cells", "conditions"] = "cells",
    holdout_context: tuple[str, ...] = (),
    val_context: tuple[str, ...] = (),
    calib_context: tuple[str, ...] = (),
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Keep a nested part of the training cells (or conditions) of `context_ood`; every other role stays as it is.

    A smaller part is contained in a larger one. By cells, every condition keeps at least one cell. By conditions, the
    first to stay are those without which a held-out perturbation or an iid condition would be unseen.
    """
    if train_fraction is None or not 0 < train_fraction <= 1:
        raise HarnessError(
            "train_fraction is out of range", got=train_fraction, expected="0 < train_fraction ≤ 1"
        )
    base = context_ood.generate(
        dataset,
        seed=seed,
        holdout_context=holdout_context,
        val_context=val_context,
        calib_context=calib_context,
        iid_conditions=iid_conditions,
        iid_fraction=iid_fraction,
    )
    role_of = base.role_of.copy()
    drop = _cells_to_drop if by == "cells" else _conditions_to_drop
    dropped = drop(dataset, role_of, train_fraction, seed)
    role_of[dropped] = ASIDE
    return Assignment(
        role_of,
        base.ood_axes,
        {**base.params, "train_fraction": train_fraction, "by": by},
        set_aside=base.set_aside,
        notes=(*base.notes, f"{len(dropped)} training cells are set aside by train_fraction"),
    )


def members(_: PerturbDataset) -> dict[str, dict[str, Any]]:
    """Training on 10 %, 25 %, 50 % and all."""
    return {f"{fraction:g}": {"train_fraction": fraction} for fraction in FRACTIONS}


def _cells_to_drop(
    dataset: PerturbDataset, role_of: NDArray[np.int8], fraction: float, seed: int
) -> NDArray[np.int64]:
    of_row = dataset.conditions.of_row
    rows = np.flatnonzero((role_of == TRAIN) & (of_row >= 0))
    rows = rows[stream("scaling", seed, "cells").permutation(len(rows))]
    rows = rows[np.argsort(of_row[rows], kind="stable")]
    _, starts, inverse, counts = np.unique(
        of_row[rows], return_index=True, return_inverse=True, return_counts=True
    )
    place = np.arange(len(rows)) - starts[inverse]
    return np.sort(rows[place >= np.maximum(1, np.round(counts * fraction))[inverse]])


def _conditions_to_drop(
    dataset: PerturbDataset, role_of: NDArray[np.int8], fraction: float, seed: int
) -> NDArray[np.int64]:
    of_row, table = dataset.conditions.of_row, dataset.conditions.table
    trained = np.unique(of_row[(role_of == TRAIN) & (of_row >= 0)])
    order = trained[stream("scaling", seed, "conditions").permutation(len(trained))]
    reference = set(of_row[role_of == IID].tolist())
    covered = {table[i].pert for i in reference}
    needed = set(reference)
    for i in order:
        if table[i].pert not in covered:
            covered.add(table[i].pert)
            needed.add(int(i))
    kept = round(len(trained) * fraction)
    if kept < len(needed):
        raise HarnessError(
            "train_fraction is too small to keep every perturbation and every iid condition",
            where=f"dataset {dataset.name}",
            got=fraction,
            expected=f"at least {np.ceil(100 * len(needed) / len(trained)) / 100:g} of {len(trained)} conditions",
            mend="raise it, lower iid_conditions, or scale by cells",
        )
    ranked = sorted(order.tolist(), key=lambda i: i not in needed)
    return np.flatnonzero((role_of == TRAIN) & np.isin(of_row, ranked[kept:]))
