"""Calibration: honest intervals hold what they promise, and every way to fail shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.metrics import calibration
from harness.metrics.card import Undefined
from harness.metrics.forecasts import TOO_FEW_CELLS

COVERAGES = (
    calibration.coverage_50,
    calibration.coverage_80,
    calibration.coverage_90,
    calibration.coverage_95,
)
ERRORS = (calibration.calibration_error, calibration.pit_ks)


def told(make_forecasts, factor, *, genes=20_000, bias=0.0, seed=3):
    """Three conditions whose standard deviations are told wrong by a factor, the means by a bias."""
    rng = np.random.default_rng(seed)
    sd = rng.uniform(0.2, 3, size=(3, genes))
    mean = rng.normal(size=sd.shape)
    observed = mean + sd * (rng.normal(size=sd.shape) + bias)
    return make_forecasts(mean, observed, (factor * sd) ** 2)


@pytest.mark.parametrize("coverage", COVERAGES, ids=lambda one: one.card.name)
def test_honest_intervals_cover_their_level(coverage, make_forecasts):
    optimum = coverage.card.optimum
    assert coverage(told(make_forecasts, 1)).values == pytest.approx(optimum, abs=0.012)
    assert (coverage(told(make_forecasts, 0.5)).values < optimum - 0.05).all()
    assert (coverage(told(make_forecasts, 2)).values > optimum + 0.02).all()


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_coverage_counts_genes_within_the_normal_quantile(level, make_forecasts):
    edge = stats.norm.ppf((1 + level) / 2)
    name = f"coverage_{round(100 * level)}"
    forecasts = make_forecasts(np.zeros(4), [0, edge - 1e-9, edge + 1e-9, -edge + 1e-9], 1.0)
    assert getattr(calibration, name)(forecasts).values[0] == 0.75


def test_no_variance_covers_only_what_is_met_exactly(make_forecasts):
    assert calibration.coverage_90(make_forecasts([1, 2], [1, 3], 0.0)).values[0] == 0.5


@pytest.mark.parametrize("coverage", [*COVERAGES, *ERRORS, calibration.width_90])
def test_an_unknown_sampling_variance_leaves_a_condition_undefined(coverage, make_forecasts):
    found = coverage(make_forecasts(np.zeros((2, 3)), np.zeros((2, 3)), [[1, 1, 1], [1, np.nan, 1]]))
    assert dict(found.reasons) == {1: TOO_FEW_CELLS}


@pytest.mark.parametrize("error", ERRORS, ids=lambda one: one.card.name)
@pytest.mark.parametrize("wrong", [{"factor": 0.5}, {"factor": 2}, {"factor": 1, "bias": 0.5}])
def test_every_miscalibration_shows_in_the_error(error, wrong, make_forecasts):
    assert (error(told(make_forecasts, 1)).values < 0.015).all()
    assert (error(told(make_forecasts, **wrong)).values > 0.05).all()


def test_pit_ks_is_the_kolmogorov_smirnov_statistic(make_forecasts):
    forecasts = told(make_forecasts, 1.3, genes=57)
    expected = [stats.kstest(z, "norm").statistic for z in forecasts.z]
    assert calibration.pit_ks(forecasts).values == pytest.approx(expected, rel=1e-12)


def test_width_is_that_of_the_central_interval(make_forecasts):
    found = calibration.width_90(make_forecasts([0, 0], [0, 0], [[1.0, 4.0]])).values[0]
    assert found == pytest.approx(2 * stats.norm.ppf(0.95) * 1.5)


def test_conditions_too_certain_and_too_uncertain_hide_behind_each_other_only_when_pooled(make_forecasts):
    both = [told(make_forecasts, factor) for factor in (0.6, 1.75)]
    shares = np.concatenate([calibration.pit_shares(one) for one in both])
    pooled = calibration.pooled_calibration_error(shares)
    apart = np.concatenate([calibration.calibration_error(one).values for one in both])
    assert pooled < 0.02 < 0.05 < apart.min()


def test_the_coverage_error_is_zero_at_its_promise_and_grows_on_both_sides():
    assert calibration.coverage_90_error(np.array([0.8, 1.0])) == pytest.approx(0)
    assert calibration.coverage_90_error(np.array([0.7, 0.7])) == pytest.approx(0.2)
    assert calibration.coverage_90_error(np.array([1.0])) == pytest.approx(0.1)


def test_the_strongest_tenth_is_at_least_one_condition_and_ties_keep_their_order():
    assert calibration.strongest_conditions(np.array([1.0, 3.0, 3.0])).tolist() == [1]
    assert calibration.strongest_conditions(np.arange(11.0)).tolist() == [10, 9]
    assert len(calibration.strongest_conditions(np.arange(200.0))) == 20
    assert calibration.coverage_90_strongest(np.linspace(1, 0.5, 10), np.arange(10.0)) == 0.5


def test_recalibration_makes_widths_independent_of_the_claimed_scale(make_forecasts):
    def width(factor):
        forecasts = told(make_forecasts, factor)
        return calibration.recalibrated_width_90(calibration.width_90(forecasts).values, forecasts.z)

    assert width(0.1) == pytest.approx(width(1), rel=1e-9)
    assert width(7) == pytest.approx(width(1), rel=1e-9)
    honest = calibration.width_90(told(make_forecasts, 1)).values.mean()
    assert width(1) == pytest.approx(honest, rel=0.02)


def test_variance_that_follows_the_errors_is_sharper_than_one_that_does_not(simulate):
    widths = []
    for informed in (True, False):
        forecasts = simulate({"calib": 100, "reported": 100}, informed=informed)
        calib, reported = (forecasts.of_kind(kind) for kind in ("calib", "reported"))
        z = forecasts.rowwise(lambda block: block.z, calib)
        width = forecasts.rowwise(lambda block: calibration.width_90(block).values, reported)
        widths.append(calibration.recalibrated_width_90(width, z))
    assert widths[0] < 0.95 * widths[1]


def test_nothing_is_said_of_no_conditions():
    none = np.zeros(0)
    assert isinstance(calibration.coverage_90_error(none), Undefined)
    assert isinstance(calibration.coverage_90_strongest(none, none), Undefined)
    assert isinstance(calibration.pooled_calibration_error(np.zeros((0, 19))), Undefined)
    assert isinstance(calibration.recalibrated_width_90(np.ones(3), np.zeros((0, 5))), Undefined)
    assert isinstance(calibration.recalibrated_width_90(none, np.ones((2, 5))), Undefined)
