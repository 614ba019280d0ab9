"""Leaving one cell type out: what the other cell types do under interferon tells much of what this one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool

pytestmark = pytest.mark.realdata


class Fold(NamedTuple):
    """One held-out cell type."""

    zero: float
    """MSE over genes of predicting no change (`control_only`)."""
    others: float
    """MSE over genes of predicting the mean delta of the other cell types."""
    r: float
    """Pearson correlation of that prediction with the truth."""


def leave_one_context_out(dataset: PerturbDataset, seen: Pool, truth: Pool) -> dict[str, Fold]:
    """Training deltas subtract controls of the pool `seen`, true deltas those of the pool `truth`."""

    def mean(rows: np.ndarray) -> np.ndarray:
        return dataset.X[rows].mean(axis=0, dtype=np.float64)

    conditions = dataset.conditions
    treated = {c.context: mean(conditions.rows(i)) for i, c in enumerate(conditions.table)}
    told = {c: treated[c] - mean(dataset.pool_rows(c, seen)) for c in treated}
    true = {c: treated[c] - mean(dataset.pool_rows(c, truth)) for c in treated}
    folds = {}
    for held_out, delta in true.items():
        predicted = np.mean([told[c] for c in told if c != held_out], axis=0)
        folds[held_out] = Fold(
            zero=float((delta**2).mean()),
            others=float(((predicted - delta) ** 2).mean()),
            r=float(np.corrcoef(predicted, delta)[0, 1]),
        )
    return folds


@pytest.fixture(scope="module")
def kang(imported: Callable[[str], PerturbDataset]) -> PerturbDataset:
    return imported("kang18_pbmc_ifnb")


def test_with_three_pools_the_other_cell_types_beat_no_change_in_every_cell_type(
    kang: PerturbDataset,
) -> None:
    folds = leave_one_context_out(kang, Pool.A, Pool.B)
    assert len(folds) == 7
    assert all(fold.others < fold.zero for fold in folds.values())
    zero, others, r = np.mean(list(folds.values()), axis=0)
    # With all controls on both sides: 0.083, 0.036, 0.79. The truth of one pool in three is noisier: 0.097, 0.051, 0.72.
    assert zero == pytest.approx(0.097, abs=0.015)
    assert others == pytest.approx(0.051, abs=0.015)
    assert r == pytest.approx(0.72, abs=0.06)


def test_with_all_controls_on_both_sides_the_numbers_of_an_independent_calculation_come_out(
    kang: PerturbDataset,
) -> None:
    every = Pool.A | Pool.B | Pool.C
    zero, others, r = np.mean(list(leave_one_context_out(kang, every, every).values()), axis=0)
    assert zero == pytest.approx(0.083, abs=0.001)
    assert others == pytest.approx(0.036, abs=0.001)
    assert r == pytest.approx(0.79, abs=0.01)


def test_where_nothing_happens_no_change_is_the_better_prediction(
    imported: Callable[[str], PerturbDataset],
) -> None:
    """Kinase knock-downs in glioblastoma lines show no effect in this file, so every mean predictor adds noise only."""
    dataset = imported("mcfaline23_gbm_sc")
    conditions = dataset.conditions
    errors = []
    for i, (context, pert) in enumerate((c.context, c.pert) for c in conditions.table):
        other = [j for j, c in enumerate(conditions.table) if c.pert == pert and c.context != context]
        told = [
            dataset.X[conditions.rows(j)].mean(axis=0)
            - dataset.X[dataset.pool_rows(conditions.table[j].context, Pool.A)].mean(axis=0)
            for j in other
        ]
        truth = dataset.X[conditions.rows(i)].mean(axis=0) - dataset.X[
            dataset.pool_rows(context, Pool.B)
        ].mean(axis=0)
        errors.append((float((truth**2).mean()), float(((np.mean(told, axis=0) - truth) ** 2).mean())))
    zero, others = np.mean(errors, axis=0)
    assert zero < others
