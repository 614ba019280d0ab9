"""The calibrated twins: laws, optima, what cannot be gamed, and values that do not exist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import (
    cell_distances,
    de_agreement,
    effect_error,
    scperturbench_calibrated,
    spread_divergence,
)
from harness.metrics.card import Undefined, cards
from harness.metrics.cell_distances import anchor, mean_of_pairs, skill_parts
from harness.metrics.de_agreement import Calls
from harness.metrics.effect_error import de_weights, error_parts, error_ratio, without, wmse
from harness.metrics.inputs import CalibratedCells, ConditionEffects, Controls
from harness.metrics.moments import moments
from harness.metrics.pairwise import squared_distances, sum_of_distances
from harness.metrics.pooling import ratio_of_sums
from harness.metrics.sampling import halves

SEEDS = st.integers(0, 2**32 - 1)
MODULES = (effect_error, cell_distances, spread_divergence, de_agreement)


class Experiment:
    """One condition of a small experiment of which the true effect is known."""

    def __init__(self, seed, n=60, n_genes=40, strength=2.0, targets=(0,)):
        rng = np.random.default_rng(seed)
        self.level = rng.gamma(2.0, 1.0, n_genes)
        self.common = rng.normal(0, 0.5, n_genes)
        self.effect = self.common + strength * rng.normal(size=n_genes) * (rng.random(n_genes) < 0.3)
        self.effect[list(targets)] = -3.0
        self.targets = targets
        self.seed = int(seed)
        draw = lambda shift, k: rng.normal(self.level + shift, 1.0, (k, n_genes)).astype(np.float32)  # noqa: E731
        self.observed, self.reference, self.basal = draw(self.effect, n), draw(0, 2 * n), draw(0, n)
        self.others = draw(self.common, 3 * n)

    def effects(self, predicted):
        cells, reference = moments(self.observed), moments(self.reference)
        first, second = halves(len(self.observed), self.seed)
        return ConditionEffects(
            observed=cells.mean - reference.mean,
            predicted=np.asarray(predicted, np.float64),
            train=self.common,
            targets=self.targets,
            cells=cells,
            reference=reference,
            halves=(moments(self.observed[first]), moments(self.observed[second])),
            rest=moments(self.others),
        )

    def cells(self, predicted):
        shifted = (self.basal + np.asarray(predicted)).astype(np.float32)
        return CalibratedCells(
            self.observed, shifted, self.basal, Controls(self.reference), self.targets, self.seed
        )

    def values(self, predicted):
        return scperturbench_calibrated.condition_values(self.effects(predicted), self.cells(predicted))


def test_names_cards_and_outputs_agree():
    of_modules = [
        value.card.name
        for module in MODULES
        for value in vars(module).values()
        if hasattr(value, "card") and value.__module__ == module.__name__
    ]
    values = Experiment(0).values(np.zeros(40))
    assert set(scperturbench_calibrated.NAMES) == set(of_modules) == set(values)
    assert len(scperturbench_calibrated.NAMES) == len(of_modules)
    assert {f"calibrated.{name}" for name in values} <= set(cards())


def test_only_scores_that_carry_a_claim_may_rank():
    ranking = {name for name in scperturbench_calibrated.NAMES if cards()[f"calibrated.{name}"].may_rank}
    assert ranking == {
        *("mse", "wmse", "error_ratio", "pcc_delta_centred", "energy_skill", "sinkhorn_skill"),
    }


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_order_of_genes_does_not_matter(seed):
    one = Experiment(seed)
    order = np.random.default_rng(seed).permutation(40)
    turned = Experiment(seed)
    for name in ("observed", "reference", "basal", "others", "effect", "common", "level"):
        setattr(turned, name, getattr(one, name)[..., order])
    turned.targets = tuple(np.flatnonzero(np.isin(order, one.targets)).tolist())
    got, expected = turned.values(0.7 * turned.effect), one.values(0.7 * one.effect)
    for name, value in expected.items():
        assert isinstance(value, float)
        assert got[name] == pytest.approx(value, rel=1e-7, abs=1e-7), name


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_own_targets_change_no_value(seed):
    one = Experiment(seed)
    spiked = one.effect.copy()
    spiked[list(one.targets)] = 1e3
    assert one.values(spiked) == one.values(one.effect)


def test_the_true_effect_beats_the_mean_effect_which_beats_none():
    scores = {
        name: [Experiment(seed).values(predict(Experiment(seed))) for seed in range(8)]
        for name, predict in {
            "true": lambda e: e.effect,
            "mean": lambda e: e.common + 1e-9 * np.arange(40),
            "none": lambda e: 1e-9 * np.arange(40),
        }.items()
    }
    for name in (
        "mse",
        "wmse",
        "error_ratio",
        "energy_distance",
        "energy_skill",
        "sinkhorn_skill",
        "kl_divergence",
    ):
        card = cards()[f"calibrated.{name}"]
        true, mean, none = (
            np.mean([value[name] for value in scores[who]]) for who in ("true", "mean", "none")
        )
        assert card.better(true, mean), name
        assert card.better(mean, none), name
    for name in ("pcc_delta_centred", "pcc_delta", "deg_jaccard", "direction_fidelity"):
        true, mean = (np.mean([value[name] for value in scores[who]]) for who in ("true", "mean"))
        assert true > mean + 0.1, name


def test_the_observed_effect_itself_reaches_the_optimum_of_errors_and_correlations():
    one = Experiment(3)
    observed = one.effects(0 * one.effect).observed
    values = effect_error.condition_values(one.effects(observed))
    assert values["mse"] == 0
    assert values["pcc_delta"] == pytest.approx(1)
    assert values["pcc_delta_centred"] == pytest.approx(1)
    assert values["error_ratio"] < 0.05


def test_what_all_perturbations_share_correlates_only_until_the_mean_is_taken_off():
    plain, centred = [], []
    for seed in range(20):
        one = Experiment(seed, strength=0.5)
        one.common = 3 * one.common
        one.observed = (one.observed + 2 / 3 * one.common).astype(np.float32)
        shared = one.common + np.random.default_rng(seed).normal(0, 1e-3, 40)
        values = effect_error.condition_values(one.effects(shared))
        plain.append(values["pcc_delta"])
        centred.append(values["pcc_delta_centred"])
    assert np.mean(plain) > 0.8
    assert abs(np.mean(centred)) < 0.15
    assert "beyond the mean" in effect_error.pcc_delta_centred(one.effects(one.common)).reason


def test_the_error_ratio_of_the_true_effect_is_0_and_of_no_effect_1_on_average():
    parts = {"true": [], "none": []}
    for seed in range(200):
        one = Experiment(seed, n=12, strength=0.7)
        parts["true"].append(error_parts(one.effects(one.effect)))
        parts["none"].append(error_parts(one.effects(0 * one.effect)))
    assert ratio_of_sums(parts["true"], "") == pytest.approx(0, abs=0.02)
    assert ratio_of_sums(parts["none"], "") == pytest.approx(1, abs=1e-12)


def test_a_variance_that_a_submission_claims_is_never_taken_off_its_error():
    one = Experiment(5)
    quiet = one.cells(one.effect)
    rng = np.random.default_rng(0)
    scattered = replace(
        quiet, predicted=quiet.predicted + rng.normal(0, 3, quiet.predicted.shape).astype(np.float32)
    )
    assert de_agreement.condition_values(scattered, one.effect) == de_agreement.condition_values(
        quiet, one.effect
    )
    assert (
        cell_distances.condition_values(scattered)["energy_distance"]
        > cell_distances.condition_values(quiet)["energy_distance"]
    )


def test_weights_follow_the_scores_and_sum_to_one():
    weights = de_weights(np.array([-4.0, 0.0, 2.0, 1.0]))
    assert weights.sum() == pytest.approx(1)
    assert weights == pytest.approx(np.array([16, 0, 4, 1]) / 21)
    assert de_weights(np.array([-np.inf, 0.0, 2.0])) == pytest.approx([0.5, 0, 0.5])
    assert de_weights(np.array([2.0, -2.0])) is None


def test_weights_come_from_the_half_that_is_not_the_truth():
    one = Experiment(6)
    effects = one.effects(one.effect)
    a, b = effects.halves
    spike = np.zeros(40)
    spike[7] = 1e4
    # A gene far off in one half has all the weight where the other half, which does not know of it, is the truth.
    lifted = replace(effects, halves=(a._replace(mean=a.mean + spike), b))
    error_there = (effects.predicted - (effects.observed + b.mean - effects.cells.mean))[7] ** 2
    weights_of_b = de_weights(cells_scores(b, effects.rest)[1:])
    error_here = (
        weights_of_b[6] * (effects.predicted - effects.observed - a.mean - spike + effects.cells.mean)[7] ** 2
    )
    assert wmse(lifted) >= error_here / 2
    assert wmse(lifted) == pytest.approx((error_here + error_there) / 2, rel=0.05)


def cells_scores(half, rest):
    return (half.mean - rest.mean) / np.sqrt(half.variance / half.n + rest.variance / rest.n)


def test_genes_are_scored_against_controls_where_there_is_no_other_perturbation():
    effects = Experiment(8).effects(np.zeros(40))
    alone = replace(effects, rest=None)
    assert isinstance(wmse(alone), float)
    assert wmse(alone) != wmse(effects)
    assert isinstance(wmse(replace(alone, reference=None)), Undefined)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 20), st.integers(2, 20))
def test_a_group_without_a_part_has_the_moments_of_the_rest(seed, part, rest):
    cells = np.random.default_rng(seed).normal(3, 2, (part + rest, 5))
    left = without(moments(cells), moments(cells[:part]))
    assert left.n == rest
    assert left.mean == pytest.approx(moments(cells[part:]).mean, rel=1e-9, abs=1e-9)
    assert left.squares == pytest.approx(moments(cells[part:]).squares, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("n", "biased"), [(10, 1.97), (50, 0.40), (1000, 0.02)])
def test_energy_between_identical_populations_is_0_at_any_cell_number_where_the_published_one_is_not(
    n, biased
):
    rng = np.random.default_rng(n)
    unbiased, published = [], []
    for seed in range({10: 300, 50: 40, 1000: 2}[n]):
        x, y = rng.normal(size=(2, n, 50)).astype(np.float32)
        cells = CalibratedCells(x, y, y, Controls(y), (), seed)
        unbiased.append(cell_distances.condition_values(cells)["energy_distance"])
        wide = x.astype(np.float64), y.astype(np.float64)
        between = np.sqrt(squared_distances(*wide)).mean()
        published.append(2 * between - sum(sum_of_distances(side) for side in wide) / n**2)
    assert np.mean(published) == pytest.approx(biased, rel=0.05)
    assert abs(np.mean(unbiased)) < 0.03 * biased + 0.002


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_no_effect_has_skill_0_and_the_mean_of_pairs_is_its_formula(seed):
    one = Experiment(seed, n=20)
    values = cell_distances.condition_values(one.cells(0 * one.effect))
    assert values["energy_skill"] == 0
    assert values["sinkhorn_skill"] == 0
    assert values["energy_distance"] == values["energy_distance_control"]
    cells = one.basal.astype(np.float64)
    pairs = [np.linalg.norm(cells[i] - cells[j]) for i in range(20) for j in range(20) if i != j]
    assert mean_of_pairs(squared_distances(cells, cells, same=True)) == pytest.approx(np.mean(pairs))


def test_a_repetition_of_the_experiment_has_skill_1_on_average():
    parts = {"energy": [], "sinkhorn": []}
    for seed in range(30):
        one = Experiment(seed, n=80)
        repeated = replace(
            one.cells(0 * one.effect), observed=one.observed[:40], predicted=one.observed[40:60]
        )
        values = cell_distances.condition_values(repeated)
        for name, distance in (("energy", "energy_distance"), ("sinkhorn", "sinkhorn_divergence")):
            found = [values[distance + of] for of in ("", "_control", "_half")]
            parts[name].append(skill_parts(*found))
    assert ratio_of_sums(parts["energy"], "") == pytest.approx(1, abs=0.03)
    assert ratio_of_sums(parts["sinkhorn"], "") == pytest.approx(1, abs=0.03)


def test_the_half_that_is_transported_to_is_no_distance_from_itself():
    one = Experiment(11)
    cells = one.cells(0 * one.effect)
    anchors = anchor(cells)
    itself = anchors.observed[anchors.second]
    assert cell_distances.sinkhorn_divergence(anchors, itself) == pytest.approx(0, abs=1e-9)
    assert anchors.sinkhorn_half > 0


def test_what_is_known_of_the_references_changes_no_bit():
    one = Experiment(12)
    cells = one.cells(one.effect)
    assert cell_distances.condition_values(cells, anchor(cells)) == cell_distances.condition_values(cells)


def test_references_do_not_depend_on_the_prediction():
    one = Experiment(13)
    names = [name for name in cell_distances.NAMES if name.endswith(("_control", "_half"))]
    a, b = (cell_distances.condition_values(one.cells(s * one.effect)) for s in (0.1, 30))
    assert [a[name] for name in names] == [b[name] for name in names]


@pytest.mark.parametrize("far", [1e15, 1e30, 3e38])
def test_one_absurd_cell_cannot_bring_a_condition_near_to_the_observed_cells(far):
    one = Experiment(22)
    cells = one.cells(0 * one.effect)
    cells.predicted[3] = far
    values = cell_distances.condition_values(cells)
    assert values["energy_distance"] > far / len(cells.predicted)
    assert values["energy_skill"] < -far / 1000


def test_one_predicted_cell_leaves_its_own_distances_undefined_and_the_references_defined():
    cells = Experiment(21).cells(np.zeros(40))
    values = cell_distances.condition_values(replace(cells, predicted=cells.predicted[:1]))
    undefined = {name for name, value in values.items() if isinstance(value, Undefined)}
    assert undefined == {"energy_distance", "energy_skill", "sinkhorn_divergence", "sinkhorn_skill"}
    alone = cell_distances.condition_values(
        replace(cells, predicted=cells.predicted[:1], basal=cells.basal[:1])
    )
    assert "control" in alone["sinkhorn_divergence_control"].reason


def test_a_gene_without_spread_cannot_decide_the_divergence_and_is_counted():
    one = Experiment(14)
    cells = one.cells(one.effect)
    flat = cells.predicted.copy()
    flat[:, 5] = 0.0
    dead = [
        np.where(np.arange(40) == 9, 0, side).astype(np.float32) for side in (cells.observed, one.reference)
    ]
    values = spread_divergence.condition_values(
        replace(cells, observed=dead[0], predicted=flat, reference=Controls(dead[1]))
    )
    assert values["kl_genes_left_out"] == 1
    assert 0 < values["kl_divergence"] < 12


def test_agreement_is_counted_as_its_formulas_say():
    calls = Calls(*(np.array(signs, np.int8) for signs in ([1, -1, 1, 0], [1, 1, 0, -1], [1, -1, 1, -1])))
    assert de_agreement.deg_jaccard(calls) == 2 / 4
    assert de_agreement.direction_fidelity(calls) == 2 / 3
    assert de_agreement.direction_fidelity_chance(calls) == 1 / 2
    assert de_agreement.deg_jaccard_chance(calls) == pytest.approx(2.25 / (6 - 2.25))


def test_calls_by_chance_agree_as_the_chance_level_says():
    rng = np.random.default_rng(15)
    found, chance = [], []
    for _ in range(300):
        sides = [rng.choice([-1, 1], 400) * (rng.random(400) < share) for share in (0.1, 0.3)]
        calls = Calls(
            sides[0].astype(np.int8), sides[1].astype(np.int8), rng.choice([-1, 1], 400).astype(np.int8)
        )
        found.append((de_agreement.deg_jaccard(calls), de_agreement.direction_fidelity(calls)))
        chance.append((de_agreement.deg_jaccard_chance(calls), de_agreement.direction_fidelity_chance(calls)))
    assert np.mean(found, axis=0) == pytest.approx(np.mean(chance, axis=0), abs=0.01)


def test_more_cells_than_fifty_are_not_used_to_call_genes():
    few, many = Experiment(16, n=50), Experiment(16, n=200)
    assert (
        de_agreement.deg_cells(few.cells(few.effect)) == de_agreement.deg_cells(many.cells(many.effect)) == 50
    )
    assert de_agreement.deg_cells(Experiment(16, n=8).cells(few.effect)) == 8


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_cells_leave_values_undefined_for_a_reason_and_never_nan(n):
    one = Experiment(17, n=n)
    effects = one.effects(one.effect)
    values = scperturbench_calibrated.condition_values(effects, one.cells(one.effect))
    assert all(isinstance(value, Undefined) or np.isfinite(value) for value in values.values())
    assert "cells" in values["deg_jaccard"].reason
    assert isinstance(values["wmse"], Undefined) == (n < 4)
    assert isinstance(values["energy_distance"], Undefined) == (n < 2)
    assert isinstance(values["energy_skill"], Undefined) or n >= 4


def test_a_profile_without_cells_has_an_error_and_no_weighted_one():
    effects = replace(
        Experiment(18).effects(np.zeros(40)), cells=None, halves=None, reference=None, rest=None
    )
    values = effect_error.condition_values(effects)
    assert isinstance(values["mse"], float)
    assert isinstance(values["wmse"], Undefined)
    assert isinstance(values["error_ratio"], Undefined)
    assert isinstance(effect_error.pcc_delta_centred(replace(effects, train=None)), Undefined)


def test_an_effect_no_larger_than_its_noise_has_no_ratio():
    one = Experiment(19)
    effects = one.effects(one.effect)
    still = replace(effects, observed=np.zeros(40))
    assert error_ratio(still) == Undefined("the observed effect is not larger than its noise")


def test_cells_that_do_not_differ_leave_the_transport_undefined():
    one = Experiment(20, n=12)
    same = replace(one.cells(one.effect), observed=np.ones((12, 40), np.float32))
    values = cell_distances.condition_values(same)
    assert "do not differ" in values["sinkhorn_skill"].reason
    assert isinstance(values["energy_distance"], float)
