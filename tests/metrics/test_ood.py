"""Out-of-distribution detection: pairs are counted as they are, and what only looks like detection is matched away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics import ood
from harness.metrics.card import Undefined

FEW = arrays(np.float64, st.integers(1, 9), elements=st.integers(0, 4).map(float))


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@given(FEW, FEW)
def test_auroc_is_the_share_of_pairs_with_ties_by_half(inside, outside):
    pairs = [1.0 if b > a else 0.5 if b == a else 0.0 for a in inside for b in outside]
    assert ood.ood_auroc(inside, outside) == pytest.approx(np.mean(pairs))


@given(FEW, FEW)
def test_swapping_the_sides_mirrors_the_auroc_and_a_monotone_scale_leaves_it(inside, outside):
    found = ood.ood_auroc(inside, outside)
    assert ood.ood_auroc(outside, inside) == pytest.approx(1 - found)
    assert ood.ood_auroc(np.exp(inside), np.exp(outside)) == found


def test_separated_conditions_reach_the_optimum_and_equal_ones_half():
    assert ood.ood_auroc(np.arange(4.0), np.arange(10.0, 14)) == ood.ood_auroc.card.optimum
    assert ood.ood_auroc(np.ones(3), np.ones(5)) == 0.5


def test_detection_by_effect_size_alone_is_matched_away(rng):
    size_in, size_out = rng.normal(0, 1, 3000), rng.normal(1, 1, 3000)
    cells = np.ones(3000)
    confounders = [(size_in, size_out), (cells, cells)]
    inside, outside = (size + 0.1 * rng.normal(size=3000) for size in (size_in, size_out))
    plain = ood.ood_auroc(inside, outside)
    matched = ood.ood_auroc_matched(inside, outside, confounders)
    assert plain > 0.72
    assert abs(matched - 0.5) < 0.5 * abs(plain - 0.5)


def test_true_detection_survives_matching(rng):
    size_in, size_out = rng.normal(0, 1, 1000), rng.normal(1, 1, 1000)
    inside, outside = rng.normal(0, 1, 1000), rng.normal(3, 1, 1000)
    matched = ood.ood_auroc_matched(inside, outside, [(size_in, size_out)])
    assert matched == pytest.approx(ood.ood_auroc(inside, outside), abs=0.02)


def test_without_confounders_matching_changes_nothing(rng):
    inside, outside = rng.normal(size=20), rng.normal(size=30)
    assert ood.ood_auroc_matched(inside, outside, []) == ood.ood_auroc(inside, outside)
    same = [(np.ones(20), np.ones(30))]
    assert ood.ood_auroc_matched(inside, outside, same) == ood.ood_auroc(inside, outside)


def test_conditions_without_a_counterpart_are_refused_with_the_reason():
    far_apart = [(np.zeros(6), np.full(6, 9.0))]
    found = ood.ood_auroc_matched(np.arange(6.0), np.arange(6.0), far_apart)
    assert found == Undefined(ood.NO_MATCH)


def test_a_side_without_conditions_is_told():
    none, some = np.zeros(0), np.ones(3)
    assert ood.ood_auroc(none, some) == Undefined(ood.NO_IID)
    assert ood.ood_auroc(some, none) == Undefined(ood.NO_OOD)
    assert ood.ood_auroc_matched(none, some, []) == Undefined(ood.NO_IID)
    assert ood.ood_auroc_matched(some, none, []) == Undefined(ood.NO_OOD)
    assert ood.ood_auroc_distance(None, None) == Undefined(ood.NO_DISTANCE)


def test_the_distance_to_training_is_the_mean_over_the_nearest(rng):
    train, queries = rng.normal(size=(12, 4)), rng.normal(size=(5, 4))
    whole = np.sort(np.linalg.norm(queries[:, None] - train, axis=2), axis=1)
    assert ood.nearest_distance(queries, train, k=3) == pytest.approx(whole[:, :3].mean(axis=1))
    assert ood.nearest_distance(queries, train, k=99) == pytest.approx(whole.mean(axis=1))
    assert ood.nearest_distance(train, train, k=1).tolist() == [0] * 12
