"""Collapse diagnostics: what a model that says the same of everything looks like."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import collapse
from harness.metrics.card import Direction, Undefined, cards

GENES = 50


def effects(seed, n=12):
    return np.random.default_rng(seed).normal(size=(n, GENES))


def diagnosed(predicted, observed, noise=0.0):
    sampling = np.broadcast_to(noise, observed.shape)
    return collapse.context_values(predicted, collapse.spread(predicted, observed, sampling))


def test_names_cards_and_values_agree():
    found = {name.split(".", 1)[1]: card for name, card in cards().items() if card.panel == "collapse"}
    assert set(found) == set(collapse.NAMES) == set(diagnosed(effects(0), effects(1)))
    assert {card.direction for card in found.values()} == {Direction.TARGET, Direction.NONE}
    assert not any(card.may_rank for card in found.values())


@given(seed=st.integers(0, 999))
def test_the_truth_is_at_every_target(seed):
    observed = effects(seed)
    values = diagnosed(observed, observed)
    for name, value in values.items():
        card = cards()[f"collapse.{name}"]
        if card.direction is Direction.TARGET:
            assert value == pytest.approx(card.optimum)


@given(seed=st.integers(0, 999), scale=st.floats(0.01, 10))
def test_a_scaled_prediction_has_the_square_of_the_scale_as_variance_ratio(seed, scale):
    observed = effects(seed)
    values = diagnosed(scale * observed, observed)
    assert values["variance_ratio"] == pytest.approx(scale**2)
    assert values["variance_ratio_median_gene"] == pytest.approx(scale**2)
    assert values["norm_ratio"] == pytest.approx(scale)
    for name in ("pairwise_diversity", "effective_rank", "tied_pairs"):
        assert values[name] == pytest.approx(diagnosed(observed, observed)[name])


@given(seed=st.integers(0, 999))
def test_a_collapsed_model_is_seen_by_every_diagnostic(seed):
    values = diagnosed(np.tile(effects(seed + 1)[0], (12, 1)), effects(seed))
    assert values["variance_ratio"] == 0.0
    assert values["variance_ratio_median_gene"] == 0.0
    assert values["pairwise_diversity"] == pytest.approx(0.0, abs=1e-12)
    assert values["tied_pairs"] == 1.0
    assert isinstance(values["effective_rank"], Undefined)
    assert collapse.flag(values["variance_ratio"]) == "collapsed"


def test_sampling_noise_of_the_truth_does_not_hide_a_good_spread():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(400, GENES))
    observed = signal + 2 * rng.normal(size=signal.shape)
    assert diagnosed(signal, observed, noise=4.0)["variance_ratio"] == pytest.approx(1.0, abs=0.1)
    assert diagnosed(signal, observed)["variance_ratio"] < 0.3
    assert diagnosed(signal, observed, noise=4.0)["norm_ratio"] == pytest.approx(1.0, abs=0.05)


def test_truth_that_is_nothing_but_noise_has_no_ratio():
    observed = effects(2)
    values = diagnosed(observed, observed, noise=100.0)
    assert values["variance_ratio"] == Undefined(collapse.NOISE)
    assert values["norm_ratio"] == Undefined(collapse.NO_EFFECT)


def test_unknown_sampling_variance_of_a_condition_is_left_to_the_others():
    observed = effects(3)
    sampling = np.full_like(observed, 0.2)
    whole = collapse.spread(observed, observed, sampling)
    sampling[0] = np.nan
    assert collapse.variance_ratio(collapse.spread(observed, observed, sampling)) == pytest.approx(
        collapse.variance_ratio(whole)
    )


def test_contexts_that_differ_do_not_hide_collapse_within_them():
    spreads = []
    for context in range(3):
        observed = effects(context) + 100 * context
        spreads.append(
            collapse.spread(np.tile(observed.mean(axis=0), (12, 1)), observed, np.zeros_like(observed))
        )
    found = collapse.global_values(spreads)
    assert set(found) == set(collapse.GLOBAL_NAMES)
    assert found["variance_ratio"] == pytest.approx(0.0, abs=1e-12)


def test_equal_contexts_together_have_the_ratio_of_each():
    observed = effects(4)
    one = collapse.spread(0.5 * observed, observed, np.zeros_like(observed))
    assert collapse.global_values([one] * 4) == pytest.approx(collapse.global_values([one]))


@given(seed=st.integers(0, 999))
def test_the_order_of_perturbations_does_not_matter(seed):
    predicted, observed = effects(seed), effects(seed + 1)
    order = np.random.default_rng(seed).permutation(12)
    assert diagnosed(predicted[order], observed[order]) == pytest.approx(diagnosed(predicted, observed))


@given(groups=st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_tied_pairs_counts_pairs_with_equal_predictions(groups):
    predicted = np.repeat(effects(5, len(groups)), groups, axis=0).astype(np.float32).astype(float)
    n = sum(groups)
    if n < 2:
        assert isinstance(collapse.tied_pairs(predicted), Undefined)
        return
    together = sum(math.comb(size, 2) for size in groups)
    assert collapse.tied_pairs(predicted) == pytest.approx(together / math.comb(n, 2))


def test_predictions_of_nothing_are_all_tied_and_have_no_direction():
    values = diagnosed(np.zeros((4, GENES)), effects(6, 4))
    assert values["tied_pairs"] == 1.0
    assert isinstance(values["pairwise_diversity"], Undefined)
    assert values["norm_ratio"] == 0.0


@pytest.mark.parametrize("k", [1, 3, 6])
def test_effective_rank_counts_equally_strong_directions(k):
    rng = np.random.default_rng(7)
    directions = np.linalg.qr(rng.normal(size=(GENES, k)))[0].T
    predicted = np.concatenate([directions, -directions])
    assert collapse.effective_rank(predicted) == pytest.approx(k)


def test_one_perturbation_has_nothing_to_differ_from():
    values = diagnosed(effects(8, 1), effects(9, 1))
    for name in set(collapse.NAMES) - {"norm_ratio"}:
        assert values[name] == Undefined(collapse.FEW)
    assert collapse.global_values([])["variance_ratio"] == Undefined(collapse.FEW)


def test_only_ratios_far_from_that_of_the_truth_are_flagged():
    assert [collapse.flag(ratio) for ratio in (0.05, 0.5, 1.0, 5.0)] == ["collapsed", None, None, "scattered"]
    assert collapse.flag(Undefined("why")) is None
