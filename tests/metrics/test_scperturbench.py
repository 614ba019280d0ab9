"""scPerturBench's published panel: laws of its metrics, and values that do not exist."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import scperturbench
from harness.metrics.card import Direction, Undefined, cards
from harness.metrics.gene_sets import rank_genes
from harness.metrics.inputs import ConditionCells, Controls
from harness.metrics.moments import Moments, moments
from harness.metrics.sampling import halves, published_subsample, sample
from harness.metrics.scperturbench import (
    NAMES,
    Distances,
    condition_values,
    energy_distance,
    kl_divergence,
    mse,
    names,
    observed_side,
    pcc_delta,
    wasserstein,
)

SETS = (5, "all")
SEEDS = st.integers(0, 2**32 - 1)


def cells_of(seed, n=(14, 11, 17), n_genes=24, effect=1.0):
    """Observed, predicted and control cells; many zeros, as in expression."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(1.0, 1.0, n_genes)
    shift = effect * rng.normal(0, 1, n_genes) * (rng.random(n_genes) < 0.4)
    groups = [level + shift, level + shift * rng.uniform(0.5, 1.5, n_genes), level]
    made = [
        np.maximum(rng.normal(mean, 0.7, (k, n_genes)), 0).astype(np.float32)
        for k, mean in zip(n, groups, strict=True)
    ]
    return ConditionCells(made[0], made[1], Controls(made[2]))


def assert_same(got, expected, tolerance=1e-9):
    assert set(got) == set(expected)
    for name, value in expected.items():
        if isinstance(value, Undefined):
            assert got[name] == value, name
        else:
            assert got[name] == pytest.approx(value, rel=tolerance, abs=tolerance), name


def wide(cells):
    return np.asarray(cells, np.float64)


def test_names_cards_and_outputs_agree():
    declared = {name.split(".")[1] for name, card in cards().items() if card.panel == scperturbench.PANEL}
    values = condition_values(cells_of(0, n_genes=120))
    assert set(NAMES) == declared == set(values)
    assert len(NAMES) == len(set(NAMES))


def test_every_gene_set_of_a_metric_has_its_own_words_on_its_card():
    found = cards()
    assert found["scperturbench.mse_top20"].description.endswith("Over the 20 strongest genes.")
    assert found["scperturbench.mse_all"].description.endswith("Over all genes.")
    assert not any(card.may_rank for card in found.values() if card.panel == "scperturbench")


def test_the_number_of_genes_in_a_set_is_free():
    values = condition_values(cells_of(1), (3, 7))
    assert set(values) == set(names((3, 7)))
    assert "mse_top7" in values


def test_a_gene_set_has_the_same_values_whichever_others_are_asked_for():
    cells = cells_of(2, n_genes=150)
    whole = condition_values(cells)
    for size in scperturbench.GENE_SETS:
        alone = condition_values(cells, (size,))
        assert {name: whole[name] for name in alone} == alone


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_order_of_cells_does_not_matter(seed):
    cells = cells_of(seed)
    rng = np.random.default_rng(seed)
    shuffled = ConditionCells(
        rng.permutation(cells.observed),
        rng.permutation(cells.predicted),
        Controls(rng.permutation(cells.controls.cells)),
    )
    assert_same(condition_values(shuffled, SETS), condition_values(cells, SETS))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_order_of_genes_does_not_matter(seed):
    cells = cells_of(seed)
    order = np.random.default_rng(seed).permutation(cells.observed.shape[1])
    turned = ConditionCells(
        cells.observed[:, order], cells.predicted[:, order], Controls(cells.controls.cells[:, order])
    )
    assert_same(condition_values(turned, SETS), condition_values(cells, SETS))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_means_and_energy_do_not_change_when_every_cell_is_there_twice(seed):
    cells = cells_of(seed)
    twice = ConditionCells(np.tile(cells.observed, (2, 1)), np.tile(cells.predicted, (2, 1)), cells.controls)
    single, double = (condition_values(each, ("all",)) for each in (cells, twice))
    for name in ("mse_all", "pcc_delta_all", "energy_distance_all", "kl_divergence_all"):
        assert double[name] == pytest.approx(single[name], rel=1e-9, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_truth_itself_reaches_every_optimum_and_is_not_0_from_itself_in_transport(seed):
    cells = cells_of(seed)
    values = condition_values(ConditionCells(cells.observed, cells.observed, cells.controls), SETS)
    for name, value in values.items():
        card = cards()["scperturbench." + name.replace("top5", "top20")]
        if card.optimum is not None:
            assert value == pytest.approx(card.optimum, abs=1e-6), name
    assert values["wasserstein_all"] > 0


@pytest.mark.parametrize("name", ["mse", "pcc_delta", "energy_distance", "wasserstein", "kl_divergence"])
def test_a_worse_prediction_scores_worse_in_the_declared_direction(name):
    rng = np.random.default_rng(3)
    truth, controls = (
        cells_of(4, n=(60, 60, 80), n_genes=60).observed,
        cells_of(4, n=(60, 60, 80), n_genes=60).controls,
    )
    offset = rng.normal(size=truth.shape[1])
    good, bad = (
        condition_values(
            ConditionCells(truth, (truth + scale * offset).astype(np.float32), controls), ("all",)
        )
        for scale in (0.1, 1.0)
    )
    card = cards()[f"scperturbench.{name}_all"]
    assert card.direction in (Direction.LOWER, Direction.HIGHER)
    assert card.better(good[f"{name}_all"], bad[f"{name}_all"])


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.floats(0.25, 4))
def test_distances_scale_as_their_formulas_say(seed, factor):
    cells = cells_of(seed)
    observed, predicted = wide(cells.observed), wide(cells.predicted)
    control = wide(cells.controls.cells).mean(axis=0)
    plain, scaled = Distances(observed, predicted), Distances(factor * observed, factor * predicted)
    assert energy_distance(scaled) == pytest.approx(factor * energy_distance(plain), rel=1e-9, abs=1e-12)
    assert wasserstein(scaled) == pytest.approx(factor**2 * wasserstein(plain), rel=1e-9)
    means = [observed.mean(axis=0), predicted.mean(axis=0)]
    assert mse(*(factor * m for m in means)) == pytest.approx(factor**2 * mse(*means), rel=1e-9)
    assert pcc_delta(*(factor * m for m in means), factor * control) == pytest.approx(
        pcc_delta(*means, control), rel=1e-9
    )


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_energy_and_divergence_are_the_same_both_ways(seed):
    cells = cells_of(seed)
    a, b = wide(cells.observed), wide(cells.predicted)
    assert energy_distance(Distances(a, b)) == pytest.approx(energy_distance(Distances(b, a)), rel=1e-9)
    assert kl_divergence(moments(a), moments(b)) == pytest.approx(kl_divergence(moments(b), moments(a)))


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_energy_is_its_formula_over_all_pairs(seed):
    cells = cells_of(seed)
    a, b = wide(cells.observed), wide(cells.predicted)

    def mean_distance(x, y):
        return np.sqrt(((x[:, None] - y[None]) ** 2).sum(axis=2)).mean()

    expected = 2 * mean_distance(a, b) - mean_distance(a, a) - mean_distance(b, b)
    assert energy_distance(Distances(a, b)) == pytest.approx(expected, rel=1e-9)


def test_what_is_known_of_the_observed_side_changes_no_bit():
    cells = cells_of(7, n=(40, 30, 50), n_genes=150)
    side = observed_side(cells.observed, cells.controls)
    assert condition_values(cells, observed=side) == condition_values(cells)


def test_drawn_cells_follow_the_published_order_of_draws():
    generator = np.random.RandomState(42)
    predicted_first = generator.choice(2500, 2000, replace=False)
    then_observed = generator.choice(2100, 2000, replace=False)
    predicted, observed = published_subsample(2500, 2100)
    assert np.array_equal(predicted, predicted_first)
    assert np.array_equal(observed, then_observed)
    assert published_subsample(2000, 2000) == (None, None)


def test_more_than_2000_cells_on_both_sides_ignore_what_is_known_of_another_draw():
    cells = cells_of(8, n=(2050, 2040, 30), n_genes=6)
    side = observed_side(cells.observed, cells.controls, ("all",))
    assert condition_values(cells, ("all",), side) == condition_values(cells, ("all",))


def test_equal_scores_are_ranked_in_gene_order_and_the_tie_at_the_cut_is_told():
    mean, squares = np.array([1.0, 2.0, 2.0, 0.0]), np.ones(4)
    ranking = rank_genes(Moments(5, mean, squares), Moments(5, np.zeros(4), squares))
    assert ranking.order.tolist() == [1, 2, 0, 3]
    assert ranking.tie_at_cut(1)
    assert not ranking.tie_at_cut(2)
    assert not ranking.tie_at_cut(4)


def test_genes_without_spread_whose_means_differ_come_first_and_are_counted():
    cells = cells_of(9)
    observed, controls = cells.observed.copy(), cells.controls.cells.copy()
    observed[:, [3, 8]], controls[:, [3, 8]] = 2.0, 1.0
    given_cells = ConditionCells(observed, cells.predicted, Controls(controls))
    assert condition_values(given_cells, SETS)["degenerate_genes"] == 2
    ranking = rank_genes(given_cells.observed_moments, given_cells.controls.moments)
    assert ranking.order[:2].tolist() == [3, 8]


def test_one_observed_cell_leaves_ranked_sets_undefined_and_all_genes_defined():
    cells = cells_of(10, n=(1, 5, 9))
    values = condition_values(cells, SETS)
    assert all(isinstance(values[name], Undefined) for name in names((5,)))
    assert isinstance(values["mse_all"], float)
    assert isinstance(values["energy_distance_all"], float)


def test_one_predicted_cell_leaves_only_its_own_ranking_undefined():
    values = condition_values(cells_of(11, n=(9, 1, 9)), SETS)
    assert [name for name, value in values.items() if isinstance(value, Undefined)] == ["common_degs_top5"]


def test_predicting_the_controls_has_no_correlation_and_says_why():
    cells = cells_of(12)
    values = condition_values(ConditionCells(cells.observed, cells.controls.cells, cells.controls), SETS)
    assert values["pcc_delta_all"] == Undefined("the predicted effect is constant over genes")
    assert "one gene" in pcc_delta(np.ones(1), np.ones(1), np.zeros(1)).reason


def test_no_value_is_ever_nan():
    zeros = np.zeros((4, 6), np.float32)
    for value in condition_values(ConditionCells(zeros, zeros, Controls(zeros)), SETS).values():
        assert isinstance(value, Undefined) or np.isfinite(value)


@given(st.integers(0, 60), SEEDS)
def test_halves_are_disjoint_whole_and_repeatable(n, seed):
    first, second = halves(n, seed)
    assert sorted([*first, *second]) == list(range(n))
    assert len(second) - len(first) in (0, 1)
    assert all(np.array_equal(a, b) for a, b in zip(halves(n, seed), (first, second), strict=True))


@given(st.integers(0, 60), st.integers(1, 40), SEEDS)
def test_a_sample_holds_each_cell_once_and_all_of_them_where_they_are_few(n, size, seed):
    rows = sample(n, size, seed)
    assert len(rows) == min(n, size) == len(set(rows.tolist()))
    assert np.all(np.diff(rows) > 0)


def test_how_cells_lie_in_memory_changes_no_bit():
    cells = cells_of(13, n=(40, 30, 50), n_genes=150)
    spread = np.zeros((80, 150), np.float32)
    spread[::2] = cells.observed
    laid_out = ConditionCells(
        spread[::2], np.asfortranarray(cells.predicted), Controls(np.asfortranarray(cells.controls.cells))
    )
    assert condition_values(laid_out) == condition_values(cells)


WITH_THREADS = """
import numpy as np
from harness.metrics.inputs import CalibratedCells, ConditionCells, Controls
from harness.metrics import cell_distances, scperturbench
x = np.random.default_rng(1).normal(size=(420, 700)).astype(np.float32)
observed, predicted, controls = x[:200], x[200:300] + np.float32(0.2), Controls(x[300:])
values = scperturbench.condition_values(ConditionCells(observed, predicted, controls))
cells = CalibratedCells(observed, predicted, x[300:400], controls, (3,), 5)
values |= {"calibrated " + k: v for k, v in cell_distances.condition_values(cells).items()}
print(values)
"""


def test_the_number_of_threads_changes_no_bit():
    said = {
        subprocess.run(
            [sys.executable, "-c", WITH_THREADS],
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(n)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in (1, 2)
    }
    assert len(said) == 1
    assert "wasserstein_all" in said.pop()
