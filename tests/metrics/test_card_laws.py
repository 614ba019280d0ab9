"""What holds for every card: it says what it means, its range holds its optimum, panels and cards name the same values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.metrics import cell_distances, celleval, effect_error, perturbench, scperturbench
from harness.metrics.card import Direction, Undefined, cards
from harness.metrics.inputs import CalibratedCells, ConditionCells, ConditionEffects, Controls
from harness.metrics.moments import Moments
from harness.metrics.pca import principal_axes
from harness.metrics.registry import HEADLINE, panels

CARDS = cards()
SCORES = {name: card for name, card in CARDS.items() if card.direction is not Direction.NONE}


@pytest.mark.parametrize("name", SCORES)
def test_a_score_states_its_formula_its_reference_and_a_range_with_its_optimum(name):
    card = CARDS[name]
    assert "$" in card.description, card.description
    assert card.reference
    low, high = card.range
    assert low < high
    if card.optimum is not None:
        assert low <= card.optimum <= high


@pytest.mark.parametrize("name", CARDS)
def test_every_card_has_a_sentence_needs_and_a_version(name):
    card = CARDS[name]
    assert name == f"{card.panel}.{card.name}"
    assert card.description.rstrip(".")
    assert not any(map(math.isnan, card.range))
    assert card.needs
    assert len(card.version) >= 7


@pytest.mark.parametrize("name", SCORES)
def test_the_optimum_stands_where_the_direction_points(name):
    card = CARDS[name]
    low, high = card.range
    if card.direction is Direction.TARGET:
        assert card.optimum is not None
        assert card.better(card.optimum, card.optimum + 0.05)
        assert card.better(card.optimum, card.optimum - 0.05)
        return
    step = 0.1 if card.direction is Direction.LOWER else -0.1
    if card.optimum is None:
        return
    assert card.better(card.optimum, card.optimum + step)
    bounds = [bound for bound in (low, high) if math.isfinite(bound) and bound >= 0]
    if card.direction is Direction.HIGHER and math.isfinite(high):
        assert card.optimum == high
    if card.direction is Direction.LOWER and low in bounds:
        assert card.optimum == low


@pytest.mark.parametrize("name", [name for name in CARDS if name not in SCORES])
def test_a_description_ranks_nobody_and_has_no_optimum(name):
    assert not CARDS[name].may_rank
    assert CARDS[name].optimum is None


@pytest.mark.parametrize("name", panels())
def test_the_names_of_a_panel_are_those_of_its_cards(name):
    own = {card.name for card in CARDS.values() if card.panel == name}
    metrics = panels()[name].metrics
    assert len(metrics) == len(set(metrics))
    assert set(metrics) == own


def test_every_card_is_of_a_panel_and_the_headline_may_rank():
    assert {card.panel for card in CARDS.values()} == set(panels())
    assert all(CARDS[name].may_rank for name in HEADLINE)


def test_published_values_never_rank():
    published = {"scperturbench", "perturbench", "celleval"}
    assert not [name for name, card in CARDS.items() if card.panel in published and card.may_rank]


@pytest.fixture
def clouds():
    """Observed, predicted and control cells with zeros, as expression has them."""
    rng = np.random.default_rng(7)
    base = rng.gamma(0.8, 1.0, 60)
    moved = base * np.exp(np.where(rng.random(60) < 0.3, rng.normal(0, 1, 60), 0))

    def draw(mean, n):
        return np.log1p(rng.poisson(mean, (n, 60))).astype(np.float32)

    return draw(moved, 40), draw(0.6 * moved + 0.4 * base, 30), draw(base, 50)


def values_of(observed, predicted, controls):
    """All values of one condition as published, by `panel.metric`."""
    cells = ConditionCells(observed, predicted, Controls(controls))
    axes = principal_axes(np.concatenate([observed, controls]), 10)
    sides = [perturbench.side(group, cells.controls, axes, 0) for group in (observed, predicted)]
    columns = [celleval.side(group, cells.controls) for group in (observed, predicted)]
    return {
        f"{panel}.{name}": value
        for panel, values in (
            ("scperturbench", scperturbench.condition_values(cells, (20, "all"))),
            ("perturbench", perturbench.condition_values(cells, axes, *sides)),
            ("celleval", celleval.condition_values(cells, *columns)),
        )
        for name, value in values.items()
    }


def assert_close(ours, theirs, tolerance=1e-7):
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        if isinstance(value, Undefined):
            assert theirs[name] == value, name
        else:
            assert theirs[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name


def test_the_order_of_cells_changes_no_value(clouds):
    rng = np.random.default_rng(1)
    assert_close(values_of(*clouds), values_of(*(rng.permutation(cells) for cells in clouds)))


V_STATISTICS = (
    "mse_all", "pcc_delta_all", "energy_distance_all", "kl_divergence_all", "wasserstein_all", "rmse_average",
    "mae_average", "cosine_logfc", "pearson_logfc", "mmd_pca", "pearson_delta", "mse", "mae",
)  # fmt: skip


def test_every_cell_twice_leaves_means_and_v_statistics_as_they_are(clouds):
    once = values_of(*clouds)
    observed, predicted, controls = (np.repeat(cells, 2, axis=0) for cells in clouds)
    cells = ConditionCells(observed, predicted, Controls(controls))
    axes = principal_axes(np.concatenate([clouds[0], clouds[2]]), 10)
    sides = [perturbench.side(group, cells.controls, axes, 0) for group in (observed, predicted)]
    twice = scperturbench.condition_values(cells, ("all",)) | perturbench.condition_values(
        cells, axes, *sides
    )
    twice |= celleval.condition_values(
        cells, *(celleval.side(group, cells.controls) for group in (observed, predicted))
    )
    for name in V_STATISTICS:
        (key,) = (key for key in once if key.endswith(f".{name}"))
        # of transport only the stopping rule sees that marginals are halved
        assert twice[name] == pytest.approx(once[key], rel=1e-6, abs=1e-9), name


def test_every_cell_twice_lowers_a_u_statistic_whose_pairs_are_of_different_cells(clouds):
    observed, predicted, controls = clouds

    def distance(told):
        cells = CalibratedCells(observed, told, controls[:30], Controls(controls), (), 0)
        return cell_distances.condition_values(cells)["energy_distance"]

    once, twice = distance(predicted), distance(np.repeat(predicted, 2, axis=0))
    assert twice > once


def test_the_scale_of_expression_moves_errors_with_it_and_correlations_not_at_all(clouds):
    once = values_of(*clouds)
    scaled = values_of(*(np.float32(2) * cells for cells in clouds))
    for name in ("scperturbench.mse_all", "celleval.mse"):
        assert scaled[name] == pytest.approx(4 * once[name], rel=1e-6)
    for name in ("scperturbench.energy_distance_all", "perturbench.rmse_average", "celleval.mae"):
        assert scaled[name] == pytest.approx(2 * once[name], rel=1e-6)
    for name in ("scperturbench.pcc_delta_all", "scperturbench.common_degs_top20", "celleval.pearson_delta"):
        assert scaled[name] == pytest.approx(once[name], rel=1e-6)


def test_without_noise_the_truth_reaches_the_optimum_of_every_error_of_effects():
    rng = np.random.default_rng(3)
    effect, basal = rng.normal(0, 1, 30), rng.normal(2, 1, 30)
    nothing = np.zeros(30)

    def told(predicted):
        return effect_error.condition_values(
            ConditionEffects(
                observed=effect, predicted=predicted, train=0.1 * basal, targets=(3,),
                cells=Moments(20, basal + effect, nothing), reference=Moments(20, basal, nothing),
                halves=(Moments(10, basal + effect, nothing), Moments(10, basal + effect, nothing)),
                rest=Moments(50, basal, np.ones(30)),
            )
        )  # fmt: skip

    truth, wrong = told(effect), told(effect + rng.normal(0, 0.5, 30))
    for name in effect_error.NAMES:
        card = CARDS[f"calibrated.{name}"]
        assert truth[name] == pytest.approx(card.optimum, abs=1e-12), name
        assert card.better(truth[name], wrong[name]), name
    elsewhere = effect.copy()
    elsewhere[3] += 100
    assert told(elsewhere) == pytest.approx(truth, abs=1e-12)
