"""Risk and coverage: the oracle's order gains 1, a random order nothing, ties count in expectation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats

from harness.metrics import risk_coverage
from harness.metrics.card import Undefined
from harness.metrics.ranks import mid_ranks, spearman

VALUES = arrays(np.float64, st.integers(2, 12), elements=st.integers(0, 5).map(float))


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_risk_is_the_squared_error_in_units_of_the_effect(make_forecasts):
    found = risk_coverage.relative_risk(make_forecasts([[0, 0], [3, 4], [6, 8]], [[3, 4]] * 3, 1.0))
    assert found.values.tolist() == [1, 0, 1]


def test_risk_is_undefined_where_no_effect_was_observed(make_forecasts):
    found = risk_coverage.relative_risk(make_forecasts([[1, 1]], [[0, 0]], 1.0))
    assert dict(found.reasons) == {0: risk_coverage.NO_EFFECT}


def test_uncertainty_is_the_submissions_own_without_sampling_noise(make_forecasts):
    forecasts = make_forecasts([[0, 0]], [[1, 1]], 9.0, claimed=np.array([[1.0, 7.0]]))
    assert risk_coverage.uncertainty(forecasts).values.tolist() == [2]


def test_the_spread_of_cells_is_no_uncertainty_where_an_epistemic_part_is_given(make_forecasts):
    told = {"claimed": np.full((1, 2), 9.0), "epistemic": np.full((1, 2), 4.0)}
    for kind, expected in (("cell", 2), ("effect", 3)):
        forecasts = make_forecasts([[0, 0]], [[1, 1]], 9.0, var_kind=kind, **told)
        assert risk_coverage.uncertainty(forecasts).values.tolist() == [expected]


def test_the_risk_that_is_expected_is_the_share_of_variance_in_what_is_predicted(make_forecasts):
    told = {"claimed": np.array([[1.0, 3.0], [0.0, 0.0], [0.0, 0.0]])}
    found = risk_coverage.expected_risk(make_forecasts([[0, 6], [1, 1], [0, 0]], [[1, 1]] * 3, 9.0, **told))
    assert found.values[:2].tolist() == [0.1, 0]
    assert dict(found.reasons) == {2: risk_coverage.NOTHING_SAID}


def test_who_knows_that_large_effects_have_large_errors_is_not_misled(make_forecasts, rng):
    size, share = rng.lognormal(0, 1, (200, 1)), rng.lognormal(-1, 0.5, (200, 1))
    observed = size * rng.normal(size=(200, 30))
    spread = size * share
    mean = observed + spread * rng.normal(size=observed.shape)
    forecasts = make_forecasts(mean, observed, 1e-9, claimed=np.broadcast_to(spread**2, mean.shape))
    risk = risk_coverage.relative_risk(forecasts).values
    expected, sigma = (
        risk_coverage.aurc_gain(order(forecasts).values, risk)
        for order in (risk_coverage.expected_risk, risk_coverage.uncertainty)
    )
    assert expected > 0.8
    assert expected > sigma + 0.2


def test_the_order_of_hindsight_gains_one_and_its_reverse_less_than_nothing(rng):
    risk = rng.exponential(size=50)
    assert risk_coverage.aurc_gain(risk, risk) == 1
    assert risk_coverage.aurc_gain(np.exp(risk), risk) == 1
    assert risk_coverage.aurc_gain(-risk, risk) < 0


def test_a_random_order_gains_nothing_on_average(rng):
    risk = rng.exponential(size=40)
    gains = [risk_coverage.aurc_gain(rng.permutation(40).astype(float), risk) for _ in range(2000)]
    assert np.mean(gains) == pytest.approx(0, abs=4 * np.std(gains) / np.sqrt(2000))


def test_a_constant_uncertainty_gains_exactly_nothing(rng):
    risk = rng.integers(0, 9, size=30).astype(float)
    assert risk_coverage.aurc_gain(np.ones(30), risk) == pytest.approx(0, abs=1e-12)


def test_ties_count_as_the_mean_over_all_their_orders():
    uncertainty, risk = np.array([1.0, 0, 1, 0, 1]), np.array([3.0, 1, 4, 1.5, 9])
    curves = [
        np.cumsum(risk[list(order)]) / np.arange(1, 6)
        for order in permutations(range(5))
        if (np.diff(uncertainty[list(order)]) >= 0).all()
    ]
    assert risk_coverage.risk_curve(uncertainty, risk) == pytest.approx(np.mean(curves, axis=0))


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_conditions_does_not_matter(risk, random):
    uncertainty = np.array([random.randint(0, 3) for _ in risk], float)
    order = list(range(len(risk)))
    random.shuffle(order)
    a = risk_coverage.aurc(uncertainty, risk)
    assert risk_coverage.aurc(uncertainty[order], risk[order]) == pytest.approx(a)
    curve = risk_coverage.risk_curve(uncertainty, risk)
    assert curve[-1] == pytest.approx(risk.mean())


@given(VALUES)
def test_no_order_gains_more_than_hindsight(risk):
    gain = risk_coverage.aurc_gain(np.arange(float(len(risk))), risk)
    assert isinstance(gain, Undefined) == (risk.min() == risk.max())
    if not isinstance(gain, Undefined):
        assert gain <= 1 + 1e-12


def test_the_norm_competes_in_both_directions(rng):
    risk = rng.exponential(size=60)
    assert risk_coverage.aurc_gain_norm(risk, risk) == 1
    assert risk_coverage.aurc_gain_norm(-risk, risk) == 1


def test_an_advantage_is_what_remains_beyond_the_best_competitor():
    assert risk_coverage.aurc_advantage(0.7, [0.5, -1.0]) == pytest.approx(0.2)
    assert risk_coverage.aurc_advantage(-0.1, [-0.5]) == pytest.approx(-0.1)
    assert risk_coverage.aurc_advantage(0.4, [Undefined("none")]) == pytest.approx(0.4)
    assert risk_coverage.aurc_advantage(Undefined("why"), [0.1]) == Undefined("why")


@given(VALUES, st.data())
def test_rank_correlation_is_that_of_mid_ranks(a, data):
    b = data.draw(arrays(np.float64, len(a), elements=st.integers(0, 5).map(float)))
    assert mid_ranks(a).tolist() == stats.rankdata(a).tolist()
    if a.min() < a.max() and b.min() < b.max():
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    else:
        assert np.isnan(spearman(a, b))


def test_a_permutation_p_is_seeded_small_for_an_order_and_spread_evenly_without_one(rng):
    risk = rng.exponential(size=30)
    assert risk_coverage.uncertainty_risk_p(risk, risk, seed=1) == 1 / 1000
    assert risk_coverage.uncertainty_risk_p(-risk, risk, seed=1) == 1
    first, again = (risk_coverage.uncertainty_risk_p(risk[::-1].copy(), risk, seed=4) for _ in range(2))
    assert first == again
    null = [risk_coverage.uncertainty_risk_p(rng.normal(size=15), risk[:15], seed=i) for i in range(60)]
    assert stats.kstest(null, "uniform").pvalue > 1e-3


@given(VALUES)
def test_the_isotonic_fit_is_the_least_squares_one(values):
    assert risk_coverage.isotonic(values) == pytest.approx(optimize.isotonic_regression(values).x)


def test_a_curve_that_rises_does_not_deviate_and_one_that_falls_does(rng):
    risk = rng.exponential(size=40)
    assert risk_coverage.risk_curve_deviation(risk, risk) == 0
    assert risk_coverage.risk_curve_deviation(-risk, risk) > 0.1


def test_one_condition_or_equal_risks_cannot_be_ordered():
    one, same = np.ones(1), np.ones(4)
    rising = np.arange(4.0)
    for function in (
        risk_coverage.aurc,
        risk_coverage.aurc_gain,
        risk_coverage.aurc_gain_norm,
        risk_coverage.uncertainty_risk_spearman,
        risk_coverage.risk_curve_deviation,
    ):
        assert function(one, one) == Undefined(risk_coverage.TOO_FEW)
    assert risk_coverage.aurc_gain(rising, same) == Undefined(risk_coverage.EQUAL_RISKS)
    assert risk_coverage.uncertainty_risk_p(rising, same, 0) == Undefined(risk_coverage.EQUAL_RISKS)
    assert risk_coverage.uncertainty_risk_spearman(same, rising) == Undefined(
        "every condition is equally certain"
    )
