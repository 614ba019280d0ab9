"""Statistics of training effects: leave-one-out residuals of the mean, with a floor, never from evaluated rows."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.training import FLOOR, TrainEffect, train_effects, training_statistics


def of(effects):
    return training_statistics([TrainEffect(f"p{i}", effect) for i, effect in enumerate(effects)], 30)


def test_the_variance_is_the_mean_squared_leave_one_out_residual():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    residuals = [effects[i] - np.delete(effects, i, axis=0).mean(axis=0) for i in range(9)]
    expected = np.square(residuals).mean(axis=0)
    assert (expected > FLOOR * np.median(expected)).all()
    assert of(effects).variance == pytest.approx(expected, rel=1e-12)
    assert of(effects).mean == pytest.approx(effects.mean(axis=0), rel=1e-12)


def test_genes_that_never_move_get_the_floor_and_never_zero():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    effects[:, 0] = 0
    found = of(effects).variance
    assert found[0] == FLOOR * np.median(found) > 0


def test_the_variance_does_not_depend_on_a_common_shift():
    effects = np.random.default_rng(0).normal(size=(9, 30))
    assert of(effects + 1e4).variance == pytest.approx(of(effects).variance, rel=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_conditions_fill_nothing(n):
    found = of(np.ones((n, 30)))
    assert found.variance is None
    assert (found.centre is None) == (n == 0)


def test_a_perturbation_in_two_contexts_has_the_mean_of_both():
    effects = [
        TrainEffect("a", np.full(30, 1.0)),
        TrainEffect("b", np.zeros(30)),
        TrainEffect("a", np.full(30, 3.0)),
    ]
    found = training_statistics(effects, 30).perturbations
    assert set(found) == {"a", "b"}
    assert (found["a"] == 2).all()


def test_train_effects_come_from_train_alone(tiny, tiny_split):
    effects = [one.effect for one in train_effects(tiny, tiny_split)]
    train = tiny_split.rows("train")
    of_row = tiny.conditions.of_row[train]
    assert len(effects) == len(np.unique(of_row[of_row >= 0]))
    assert all(np.isfinite(effect).all() and np.abs(effect).max() > 0 for effect in effects)
