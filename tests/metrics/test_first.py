"""The first panel: laws that hold for any effects, and values that do not exist."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics import first
from harness.metrics.card import Direction
from harness.metrics.registry import PANELS, block_metrics

FINITE = st.floats(-1e3, 1e3, allow_nan=False, width=32)
EFFECTS = arrays(np.float64, (3, 7), elements=FINITE)
LEVELS = {first.coverage_50: 0.5, first.coverage_80: 0.8, first.coverage_90: 0.9, first.coverage_95: 0.95}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("metric", block_metrics("first"), ids=lambda metric: metric.card.name)
def test_every_metric_carries_a_whole_card(metric):
    card = metric.card
    assert card.panel in PANELS
    assert card.description
    assert card.reference
    assert card.range[0] <= card.optimum <= card.range[1]
    assert set(metric.arguments) <= {"predicted", "observed", "variance"}


def test_the_truth_itself_reaches_the_optimum(rng):
    truth = rng.normal(size=(4, 50))
    assert np.array_equal(first.rmse(truth, truth).values, np.zeros(4))
    assert np.allclose(first.pearson_delta(truth, truth).values, 1)


@pytest.mark.parametrize("metric", [first.rmse, first.pearson_delta])
def test_a_worse_prediction_scores_worse_in_the_declared_direction(metric, rng):
    truth = rng.normal(size=(20, 100))
    noise = rng.normal(size=truth.shape)
    good, bad = (metric(truth + scale * noise, truth).values.mean() for scale in (0.1, 1.0))
    assert good < bad if metric.card.direction is Direction.LOWER else good > bad


@given(EFFECTS, EFFECTS, st.permutations(range(7)))
def test_the_order_of_genes_does_not_matter(predicted, observed, order):
    order = list(order)
    for metric in (first.rmse, first.pearson_delta):
        a, b = metric(predicted, observed), metric(predicted[:, order], observed[:, order])
        assert a.reasons == b.reasons
        assert np.allclose(a.values, b.values, rtol=1e-6, atol=1e-9, equal_nan=True)


@given(EFFECTS, EFFECTS)
def test_each_condition_is_scored_on_its_own(predicted, observed):
    variance = np.abs(predicted) + 1
    for metric in block_metrics("first"):
        given_arrays = {"predicted": predicted, "observed": observed, "variance": variance}
        whole = metric.function(**{name: given_arrays[name] for name in metric.arguments}).values
        for i in range(len(predicted)):
            one = metric.function(**{name: given_arrays[name][i : i + 1] for name in metric.arguments}).values
            assert np.array_equal(one, whole[i : i + 1], equal_nan=True)


def test_correlation_is_blind_to_scale_and_error_is_not(rng):
    predicted, truth = rng.normal(size=(2, 3, 40))
    assert np.allclose(
        first.pearson_delta(3 * predicted, truth).values, first.pearson_delta(predicted, truth).values
    )
    assert np.allclose(first.rmse(3 * predicted, 3 * truth).values, 3 * first.rmse(predicted, truth).values)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-30, -7.3])
def test_a_constant_effect_has_no_correlation_and_says_which_side_it_is(value, rng):
    constant, effect = np.full((1, 9), value), rng.normal(size=(1, 9))
    scores = first.pearson_delta(constant, effect)
    assert np.isnan(scores.values[0])
    assert "predicted" in scores.reasons[0]
    assert "observed" in first.pearson_delta(effect, constant).reasons[0]


@pytest.mark.parametrize(("metric", "level"), LEVELS.items(), ids=lambda v: getattr(v, "__name__", str(v)))
def test_honest_normal_intervals_cover_their_level(metric, level, rng):
    variance = rng.uniform(0.1, 4, size=(5, 40_000))
    predicted = rng.normal(size=variance.shape)
    observed = predicted + rng.normal(size=variance.shape) * np.sqrt(variance)
    assert metric(predicted, observed, variance).values == pytest.approx(level, abs=0.01)
    assert metric.card.optimum == level


def test_no_variance_covers_only_what_is_met_exactly():
    predicted, observed = np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]])
    assert first.coverage_90(predicted, observed, np.zeros((1, 2))).values == 0.5


def test_an_unknown_sampling_variance_leaves_coverage_undefined():
    effects = np.zeros((2, 3))
    variance = np.array([[1.0, 1, 1], [1, np.nan, 1]])
    scores = first.coverage_90(effects, effects, variance)
    assert scores.values[0] == 1
    assert np.isnan(scores.values[1])
    assert "two cells" in scores.reasons[1]
