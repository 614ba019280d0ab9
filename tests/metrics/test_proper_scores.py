"""Proper scores: closed forms against integrals and samples, and that honesty pays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.metrics import proper_scores
from harness.metrics.card import Direction
from harness.metrics.forecasts import TOO_FEW_CELLS, TrainingResiduals

SCORES = (
    proper_scores.nll,
    proper_scores.nll_skill,
    proper_scores.crps,
    proper_scores.crps_skill,
    proper_scores.interval_score_90,
    proper_scores.interval_skill_90,
)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize(("residual", "sd"), [(0.0, 1.0), (1.3, 0.4), (-2.5, 2.0), (6.0, 0.5), (0.1, 3.0)])
def test_crps_is_the_integral_of_the_squared_gap_of_distributions(residual, sd):
    def gap(x):
        return (stats.norm.cdf(x, scale=sd) - (x >= residual)) ** 2

    pieces = sorted({-12 * sd + min(residual, 0), residual, 12 * sd + max(residual, 0)})
    expected = sum(integrate.quad(gap, a, b, limit=200)[0] for a, b in pairwise(pieces))
    found = proper_scores.gaussian_crps(np.array([residual]), np.array([sd]))[0]
    assert found == pytest.approx(expected, rel=1e-6)


def test_crps_is_what_samples_say_of_it(rng):
    a, b = 1.5 * rng.normal(size=(2, 400_000))
    sampled = np.abs(a - 0.8).mean() - 0.5 * np.abs(a - b).mean()
    assert proper_scores.gaussian_crps(np.array([0.8]), np.array([1.5]))[0] == pytest.approx(
        sampled, abs=0.01
    )


def test_crps_of_a_certain_forecast_is_its_absolute_error():
    found = proper_scores.gaussian_crps(np.array([0.0, 2.0, -3.0]), np.zeros(3))
    assert found.tolist() == [0, 2, 3]


def test_nll_is_that_of_the_normal_distribution(rng, make_forecasts):
    mean, observed = rng.normal(size=(2, 4, 30))
    sd = rng.uniform(0.3, 2, size=mean.shape)
    found = proper_scores.nll(make_forecasts(mean, observed, sd**2)).values
    assert found == pytest.approx(-stats.norm.logpdf(observed, mean, sd).mean(axis=1), rel=1e-12)


def test_no_variance_below_the_sampling_variance_is_believed_in_the_likelihood(make_forecasts):
    claims = {"sampling": np.full((1, 3), 0.25)}
    bold = proper_scores.nll(make_forecasts(np.zeros(3), np.ones(3), 1e-9, **claims)).values
    honest = proper_scores.nll(make_forecasts(np.zeros(3), np.ones(3), 0.25, **claims)).values
    assert bold == honest


def test_a_gene_without_reads_neither_wins_nor_loses_without_bound(make_forecasts):
    residuals = TrainingResiduals(np.zeros(3), np.array([1.0, 1.0, 0.0]))
    observed = np.array([[0.0, 0.1, 0.0], [0.0, 0.1, 0.0]])
    mean = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1e-3]])
    found = proper_scores.nll(make_forecasts(mean, observed, [1.0, 1.0, 0.0], residuals=residuals))
    assert not found.reasons
    assert np.isfinite(found.values).all()
    assert found.values[0] < found.values[1]


def test_the_likelihood_is_undefined_where_nothing_varied_in_training(make_forecasts):
    residuals = TrainingResiduals(np.zeros(2), np.zeros(2))
    found = proper_scores.nll(make_forecasts([0, 0], [1, 1], 1.0, residuals=residuals))
    assert "no gene varies" in found.reasons[0]


def test_interval_score_is_the_width_plus_the_misses_in_units_of_alpha():
    residual, half = np.array([0.0, 1.0, -3.0]), np.ones(3)
    assert proper_scores.interval_score(residual, half, 0.9) == pytest.approx([2, 2, 2 + 20 * 2])


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.card.name)
def test_in_expectation_honesty_is_best(score, rng, make_forecasts):
    mean = rng.normal(size=(1, 60_000))
    observed = mean + 0.7 * rng.normal(size=mean.shape)

    def told(shift, factor):
        return score(make_forecasts(mean + shift, observed, (0.7 * factor) ** 2)).values[0]

    honest = told(0, 1)
    assert score.card.direction in {Direction.LOWER, Direction.HIGHER}
    for shift, factor in [(0, 0.7), (0, 1.4), (0.2, 1), (-0.2, 1)]:
        assert score.card.better(honest, told(shift, factor))


@pytest.mark.parametrize("score", [proper_scores.crps_skill, proper_scores.interval_skill_90])
def test_a_certain_and_right_forecast_reaches_the_optimum(score, rng, make_forecasts):
    truth = rng.normal(size=(3, 20))
    assert score(make_forecasts(truth, truth, 0.0)).values == pytest.approx(score.card.optimum)


@pytest.mark.parametrize(
    "skill", [proper_scores.nll_skill, proper_scores.crps_skill, proper_scores.interval_skill_90]
)
def test_the_training_residuals_have_no_skill(skill, rng, make_forecasts):
    centre, variance = rng.normal(size=20), rng.uniform(0.2, 3, size=20)
    forecasts = make_forecasts(
        np.tile(centre, (5, 1)),
        rng.normal(size=(5, 20)),
        variance,
        residuals=TrainingResiduals(centre, variance),
    )
    assert skill(forecasts).values == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("skill", [proper_scores.crps_skill, proper_scores.interval_skill_90])
def test_no_skill_is_told_where_the_reference_is_perfect(skill, make_forecasts):
    found = skill(make_forecasts([1, 1], [0, 0], 1.0, residuals=TrainingResiduals(np.zeros(2), np.zeros(2))))
    assert "without error" in found.reasons[0]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.card.name)
def test_an_unknown_variance_leaves_the_condition_undefined_and_no_other(score, rng, make_forecasts):
    mean, observed = rng.normal(size=(2, 3, 5))
    variance = np.ones((3, 5))
    variance[1, 2] = np.nan
    found = score(make_forecasts(mean, observed, variance))
    assert dict(found.reasons) == {1: TOO_FEW_CELLS}
    assert np.isfinite(found.values[[0, 2]]).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_skill_has_no_unit_and_crps_has_that_of_the_effect(make_forecasts, seed, factor):
    rng = np.random.default_rng(seed)
    mean, observed = rng.normal(size=(2, 2, 9))
    variance = rng.uniform(0.1, 2, size=mean.shape)
    centre, spread = rng.normal(size=9), rng.uniform(0.1, 2, size=9)
    plain = make_forecasts(mean, observed, variance, residuals=TrainingResiduals(centre, spread))
    scaled = make_forecasts(
        factor * mean,
        factor * observed,
        factor**2 * variance,
        residuals=TrainingResiduals(factor * centre, factor**2 * spread),
    )
    for skill in (proper_scores.crps_skill, proper_scores.nll_skill, proper_scores.interval_skill_90):
        assert skill(scaled).values == pytest.approx(skill(plain).values, rel=1e-9, abs=1e-9)
    assert proper_scores.crps(scaled).values == pytest.approx(factor * proper_scores.crps(plain).values)
    assert proper_scores.nll(scaled).values == pytest.approx(
        proper_scores.nll(plain).values + np.log(factor), abs=1e-9
    )


@given(st.integers(0, 2**32 - 1), st.permutations(range(9)))
def test_neither_the_order_of_genes_nor_the_sign_of_effects_matters(make_forecasts, seed, order):
    rng = np.random.default_rng(seed)
    mean, observed = rng.normal(size=(2, 2, 9))
    variance = rng.uniform(0.1, 2, size=mean.shape)
    for score in SCORES:
        plain = score(make_forecasts(mean, observed, variance)).values
        turned = make_forecasts(-mean[:, order], -observed[:, order], variance[:, order])
        assert score(turned).values == pytest.approx(plain, rel=1e-9, abs=1e-9)


def test_without_training_residuals_scores_stand_and_skills_say_why(rng, make_forecasts):
    mean, observed = rng.normal(size=(2, 3, 9))
    nothing = TrainingResiduals(np.full(9, np.nan), np.full(9, np.nan))
    forecasts = make_forecasts(mean, observed, 1.0, residuals=nothing)
    plain = make_forecasts(mean, observed, 1.0)
    for score in SCORES:
        found = score(forecasts)
        if score.card.name.endswith(("skill", "skill_90")):
            assert set(found.reasons.values()) == {proper_scores.NO_RESIDUALS}
        else:
            assert np.array_equal(found.values, score(plain).values)
