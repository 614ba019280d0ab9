"""The epistemic part: its share, and whether it rises outside of the training distribution."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics import decomposition, ood
from harness.metrics.card import Undefined


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_the_share_is_of_the_claimed_variance(make_forecasts):
    forecasts = make_forecasts(
        np.zeros((2, 2)),
        np.zeros((2, 2)),
        1.0,
        claimed=np.array([[1.0, 3.0], [2, 2]]),
        epistemic=np.array([[1.0, 0], [2, 2]]),
    )
    assert decomposition.epistemic_share(forecasts).values.tolist() == [0.25, 1]
    assert decomposition.parts(forecasts).tolist() == [[0.5, 1.5], [2, 0]]


def test_without_parts_there_is_no_share_and_the_reason_tells_whose_variance_it_is(make_forecasts):
    zeros = np.zeros((1, 2))
    plain = decomposition.epistemic_share(make_forecasts(zeros, zeros, 1.0))
    filled = decomposition.epistemic_share(make_forecasts(zeros, zeros, 1.0, filled=True))
    none = decomposition.epistemic_share(make_forecasts(zeros, zeros, 0.0, epistemic=zeros))
    assert plain.reasons[0] == decomposition.NO_PARTS
    assert filled.reasons[0] == decomposition.FILLED_PARTS
    assert none.reasons[0] == decomposition.NO_VARIANCE
    assert np.isnan(decomposition.parts(make_forecasts(zeros, zeros, 1.0))).all()


def test_the_ratio_is_one_where_nothing_changes_and_rises_with_the_reported_side(rng):
    inside = rng.exponential(size=30)
    for ratio in (decomposition.epistemic_ratio, decomposition.aleatoric_ratio):
        assert ratio(inside, inside) == 1
        assert ratio(inside, 3 * inside) == pytest.approx(3)
        assert ratio(np.zeros(0), inside) == Undefined(ood.NO_IID)
        assert ratio(inside, np.zeros(0)) == Undefined(ood.NO_OOD)
        assert ratio(np.zeros(3), inside) == Undefined(decomposition.NO_RATIO)


def test_the_interval_holds_the_ratio_and_is_seeded(rng):
    inside, outside = rng.exponential(size=40), 2 * rng.exponential(size=40)
    owners = (np.arange(40), np.arange(40))
    low, high = decomposition.ratio_interval(inside, outside, owners, seed=1)
    assert low < outside.mean() / inside.mean() < high
    assert decomposition.ratio_interval(inside, outside, owners, seed=1) == (low, high)


def test_conditions_of_one_perturbation_count_as_one_in_the_interval(rng):
    inside, outside = rng.exponential(size=20), rng.exponential(size=20)
    owners = np.arange(20)
    alone = decomposition.ratio_interval(inside, outside, (owners, owners), seed=0)
    many = [np.repeat(values, 10) for values in (inside, outside)]
    repeated = np.repeat(owners, 10)
    together = decomposition.ratio_interval(*many, (repeated, repeated), seed=0)
    naive = decomposition.ratio_interval(*many, (np.arange(200), np.arange(200)), seed=0)
    assert together == pytest.approx(alone)
    assert naive[1] - naive[0] < 0.6 * (alone[1] - alone[0])


def test_there_is_no_interval_where_a_draw_has_nothing_to_divide_by():
    owners = (np.arange(2), np.arange(2))
    assert decomposition.ratio_interval(np.array([0.0, 1.0]), np.ones(2), owners, seed=0) is None
