"""Conformal intervals: the promise holds for exchangeable perturbations, is refused for few, breaks under a shift."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics import conformal
from harness.metrics.calibration import strongest_conditions
from harness.metrics.card import Undefined
from harness.metrics.conformal_layers import NO_STRATA, NOT_CALIBRATED, conformal_layers

REPEATS = 250


@given(
    arrays(np.float64, st.integers(9, 60), elements=st.floats(0, 100)), st.sampled_from([0.1, 0.2, 0.25, 0.5])
)
def test_the_quantile_is_the_order_statistic_of_the_definition(scores, miss):
    place = math.ceil(round((len(scores) + 1) * (1 - miss), 6))
    found = conformal.conformal_quantile(scores, np.arange(len(scores)), miss)
    assert found == np.sort(scores)[place - 1]


@pytest.mark.parametrize(("miss", "fewest"), [(0.1, 9), (0.05, 19), (0.2, 4), (0.5, 1), (0.01, 99)])
def test_fewer_perturbations_than_a_finite_interval_needs_are_refused(miss, fewest):
    assert conformal.fewest(miss) == fewest
    enough, short = np.arange(float(fewest)), np.arange(float(fewest - 1))
    assert conformal.conformal_quantile(enough, np.arange(fewest), miss) == fewest - 1
    refused = conformal.conformal_quantile(short, np.arange(fewest - 1), miss)
    assert isinstance(refused, Undefined)
    assert f"{fewest - 1} calibration perturbations" in refused.reason


def test_conditions_are_no_perturbations():
    scores = np.arange(40.0)
    assert isinstance(conformal.conformal_quantile(scores, np.arange(40) % 8, 0.1), Undefined)
    assert not isinstance(conformal.conformal_quantile(scores, np.arange(40) % 10, 0.1), Undefined)


@given(arrays(np.float64, (12, 3), elements=st.floats(0, 100)), st.integers(2, 4))
def test_measuring_every_perturbation_again_with_the_same_result_changes_nothing(scores, times):
    owners = np.arange(12)
    once = conformal.conformal_quantile(scores, owners, 0.1)
    again = conformal.conformal_quantile(np.tile(scores, (times, 1)), np.tile(owners, times), 0.1)
    assert np.array_equal(once, again)


def test_a_perturbation_of_many_contexts_weighs_as_much_as_one_of_a_single_context():
    scores = np.concatenate([np.arange(19.0), np.full(50, 100.0)])
    owners = np.concatenate([np.arange(19), np.full(50, 19)])
    assert conformal.conformal_quantile(scores, owners, 0.1) == 18
    assert conformal.conformal_quantile(scores, np.arange(69), 0.1) == 100


def test_a_perturbations_score_just_covers_the_promised_share_of_its_genes(make_forecasts):
    rng = np.random.default_rng(1)
    for genes in (1, 7, 10, 99, 100):
        forecasts = make_forecasts(np.zeros((3, genes)), rng.normal(size=(3, genes)), 4.0)
        reach = conformal.perturbation_scores(forecasts)
        covered = (np.abs(forecasts.z) <= reach[:, None]).mean(axis=1)
        less = (np.abs(forecasts.z) < reach[:, None]).mean(axis=1)
        assert (covered >= 0.9 - 1e-12).all()
        assert (less < 0.9).all()


@pytest.fixture(scope="module")
def repeated(simulate):
    """Layers of many independent simulations of 40 calibration and 60 new perturbations."""
    counts = {"calib": 40, "reported": 60}
    return [conformal_layers(simulate(counts, genes=60, seed=seed), "calib") for seed in range(REPEATS)]


def mean_and_error(values):
    return np.mean(values), np.std(values) / np.sqrt(len(values))


def test_new_perturbations_are_covered_as_often_as_promised(repeated):
    promised = 37 / 41  # the 37th of 40 scores
    kept, error = mean_and_error([one.perturbation.kept.mean() for one in repeated])
    assert error < 0.005
    assert abs(kept - promised) < 4 * error
    for layer in ("split", "normalised"):
        covered, error = mean_and_error([getattr(one, layer).coverage.mean() for one in repeated])
        assert error < 0.005
        assert abs(covered - promised) < 4 * error


def test_genes_of_a_perturbation_are_no_independent_evidence(repeated):
    """The coverage of pooled genes varies far more between simulations than a binomial of all genes would."""
    pooled = [one.split.coverage.mean() for one in repeated]
    naive = math.sqrt(0.9 * 0.1 / (60 * 60))
    assert np.std(pooled) > 3 * naive


def test_an_informative_variance_covers_the_strongest_where_a_constant_one_does_not(simulate):
    def strongest(informed):
        shares = []
        for seed in range(40):
            counts = {"calib": 60, "reported": 60}
            forecasts = simulate(counts, genes=60, seed=seed, informed=informed)
            held = conformal_layers(forecasts, "calib").normalised
            errors = forecasts.rowwise(lambda block: np.square(block.residual).sum(axis=1))[60:]
            shares.append(held.coverage[strongest_conditions(errors)].mean())
        return np.mean(shares)

    assert strongest(False) < 0.75
    assert strongest(True) == pytest.approx(0.9, abs=0.03)


def test_a_guarantee_earned_in_distribution_breaks_under_a_shift_and_one_earned_outside_holds(simulate):
    kept = {"iid": [], "calib": []}
    for seed in range(60):
        forecasts = simulate({"iid": 40, "reported": 80}, genes=60, seed=seed, shift=3.0)
        outside = ("calib",) * 40 + ("reported",) * 40
        kept["iid"].append(conformal_layers(forecasts, "iid").perturbation.kept.mean())
        moved = simulate(
            {"iid": 40, "reported": 80}, genes=60, seed=seed, shift=3.0, kinds=("iid",) * 40 + outside
        )
        kept["calib"].append(conformal_layers(moved, "calib").perturbation.kept.mean())
    assert np.mean(kept["iid"]) < 0.6
    assert np.mean(kept["calib"]) == pytest.approx(37 / 41, abs=0.03)


def test_too_few_calibration_perturbations_leave_every_layer_refused(simulate):
    layers = conformal_layers(simulate({"calib": 8, "reported": 5}), "calib")
    assert layers.n_calibration == 8
    for refused in (layers.split, layers.perturbation, layers.normalised):
        assert "fewer than the 9" in refused.reason
    for groups in (layers.mondrian["context"], layers.mondrian["strength"]):
        assert all(isinstance(group.held, Undefined) for group in groups.values())


def test_every_context_is_calibrated_on_its_own_or_refused(simulate):
    contexts = ("a",) * 20 + ("b",) * 5 + ("a", "a", "b", "new")
    forecasts = simulate({"calib": 25, "reported": 4}, contexts=contexts)
    groups = conformal_layers(forecasts, "calib").mondrian["context"]
    assert {name: group.n_calibration for name, group in groups.items()} == {"a": 20, "b": 5, "new": 0}
    assert {name: group.rows.tolist() for name, group in groups.items()} == {
        "a": [0, 1],
        "b": [2],
        "new": [3],
    }
    assert not isinstance(groups["a"].held, Undefined)
    assert "5 calibration" in groups["b"].held.reason
    assert groups["new"].held == Undefined(NOT_CALIBRATED)


def test_a_group_gets_the_width_that_it_needs(make_forecasts):
    rng = np.random.default_rng(0)
    weak, strong = rng.normal(size=(2, 40, 50))
    mean = np.concatenate([0.1 * np.ones((40, 50)), 5 * np.ones((40, 50))])
    observed = mean + np.concatenate([weak, 10 * strong])
    kinds = (("calib",) * 30 + ("reported",) * 10) * 2
    groups = conformal_layers(make_forecasts(mean, observed, 1.0, kinds=kinds), "calib").mondrian["strength"]
    widths = {name: group.held.width.mean() for name, group in groups.items() if len(group.rows)}
    assert max(widths.values()) > 5 * min(widths.values())
    seen = ("seen0",) * 40 + ("seen1",) * 40
    told = conformal_layers(make_forecasts(mean, observed, 1.0, kinds=kinds, strata=seen), "calib").mondrian
    assert set(told["seen"]) == {"seen0", "seen1"}
    assert told["seen"]["seen1"].held.width.mean() > 5 * told["seen"]["seen0"].held.width.mean()


def test_without_strata_nothing_is_said_of_what_was_seen(simulate):
    layers = conformal_layers(simulate({"calib": 12, "reported": 4}), "calib")
    assert layers.mondrian["seen"] == Undefined(NO_STRATA)


def test_conditions_without_a_variance_have_no_part(simulate):
    plain = simulate({"calib": 12, "reported": 6})
    variance = np.ones((18, 200))
    variance[[3, 14], 0] = np.nan
    layers = conformal_layers(replace(plain, variance=variance), "calib")
    assert conformal_layers(plain, "calib").n_calibration == 12
    assert layers.n_calibration == 11
    assert len(layers.perturbation.coverage) == 5


def test_an_infinite_interval_is_no_width(make_forecasts):
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(30, 10))
    kinds = ("calib",) * 20 + ("reported",) * 10
    layers = conformal_layers(make_forecasts(np.zeros((30, 10)), observed, 0.0, kinds=kinds), "calib")
    assert conformal.conformal_width(layers.perturbation) == Undefined(conformal.INFINITE)
    assert not isinstance(conformal.conformal_split_width(layers.split), Undefined)


def test_no_reported_condition_leaves_nothing_to_cover(simulate):
    layers = conformal_layers(simulate({"calib": 12}), "calib")
    assert conformal.conformal_coverage(layers.perturbation) == Undefined(conformal.NO_TEST)
    assert conformal.conformal_split_width(layers.split) == Undefined(conformal.NO_TEST)
