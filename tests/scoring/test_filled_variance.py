"""The filled variance: leave-one-out residuals of the train mean, with a floor, never from evaluated rows."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.filled_variance import FLOOR, filled_variance, train_effects


def test_it_is_the_mean_squared_leave_one_out_residual():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    residuals = [effects[i] - np.delete(effects, i, axis=0).mean(axis=0) for i in range(9)]
    expected = np.square(residuals).mean(axis=0)
    assert (expected > FLOOR * np.median(expected)).all()
    assert filled_variance(iter(effects)) == pytest.approx(expected, rel=1e-12)


def test_genes_that_never_move_get_the_floor_and_never_zero():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    effects[:, 0] = 0
    found = filled_variance(iter(effects))
    assert found[0] == FLOOR * np.median(found) > 0


def test_it_does_not_depend_on_a_common_shift():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    assert filled_variance(iter(effects + 1e4)) == pytest.approx(filled_variance(iter(effects)), rel=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_conditions_fill_nothing(n):
    assert filled_variance(iter(np.ones((n, 3)))) is None


def test_train_effects_come_from_train_alone(tiny, tiny_split):
    effects = list(train_effects(tiny, tiny_split))
    train = tiny_split.rows("train")
    of_row = tiny.conditions.of_row[train]
    assert len(effects) == len(np.unique(of_row[of_row >= 0]))
    assert all(np.isfinite(effect).all() and np.abs(effect).max() > 0 for effect in effects)
