"""Ranks: places among all predictions of a context, ties by expectation."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.metrics.perturbench_ranks import NORMALISERS, places

SQUARES = st.integers(1, 6).flatmap(
    lambda n: arrays(np.float64, (n, n), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, np.nan]))
)


def drawn_ranks(scores, higher_is_better):
    """Mean rank over all orders in which ties can be broken, by sorting as the original does."""
    n = len(scores)
    total = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        for truth in range(n):
            column = scores[list(order), truth]
            ranked = np.argsort(-column if higher_is_better else column, kind="stable")
            total[truth] += [order[i] for i in ranked].index(truth)
    return total / len(orders) / max(n - 1, 1)


@settings(max_examples=60, deadline=None)
@given(scores=SQUARES, higher=st.booleans())
def test_the_expected_rank_is_the_mean_over_all_ways_to_break_ties(scores, higher):
    if len(scores) > 5:
        scores = scores[:5, :5]
    found = places(scores, higher_is_better=higher)
    np.testing.assert_allclose(found.expected(), drawn_ranks(scores, higher), atol=1e-12)


@given(scores=SQUARES, higher=st.booleans())
def test_the_expected_rank_lies_in_the_middle_of_lowest_and_highest(scores, higher):
    found = places(scores, higher_is_better=higher)
    np.testing.assert_allclose(found.expected(), (found.lowest() + found.highest()) / 2)
    assert (found.lowest() >= 0).all()
    assert (found.highest() <= 1).all()


@given(scores=SQUARES, higher=st.booleans())
def test_the_transposed_rank_is_the_rank_of_the_transposed_scores(scores, higher):
    turned = places(scores, higher_is_better=higher, transposed=True)
    straight = places(scores.T.copy(), higher_is_better=higher)
    assert turned.better.tolist() == straight.better.tolist()
    assert turned.tied.tolist() == straight.tied.tolist()


@given(scores=SQUARES, higher=st.booleans(), seed=st.integers(0, 99))
def test_the_order_of_perturbations_does_not_matter(scores, higher, seed):
    order = np.random.default_rng(seed).permutation(len(scores))
    found = places(scores, higher_is_better=higher).expected()
    moved = places(scores[np.ix_(order, order)], higher_is_better=higher).expected()
    assert moved.tolist() == found[order].tolist()


@given(n=st.integers(2, 9))
def test_the_mean_transposed_rank_of_a_collapsed_model_is_one_half(n):
    same_row = np.tile(np.random.default_rng(n).random(n), (n, 1))
    assert places(same_row, higher_is_better=False).expected().tolist() == [0.5] * n
    turned = places(same_row, higher_is_better=False, transposed=True)
    assert turned.expected().mean() == pytest.approx(0.5)


def test_errors_and_likenesses_are_sorted_in_opposite_directions():
    scores = np.array([[0.1, 0.9], [0.2, 0.3]])
    assert places(scores, higher_is_better=False).better.tolist() == [0, 0]
    assert places(scores, higher_is_better=True).better.tolist() == [1, 1]


def test_a_score_that_does_not_exist_is_last_and_ties_with_its_like():
    scores = np.array([[np.nan, 1.0, 1.0], [2.0, 0.0, 1.0], [np.nan, 3.0, 1.0]])
    found = places(scores, higher_is_better=False)
    assert found.better.tolist() == [1, 0, 0]
    assert found.tied.tolist() == [1, 0, 2]
    assert found.tied_share.tolist() == [0.5, 0.0, 1.0]


def test_scores_that_differ_by_rounding_are_tied():
    scores = np.array([[1.0, 5.0], [1.0 - 1e-14, 2.0]])
    assert places(scores, higher_is_better=False).tied.tolist() == [1, 0]


def test_the_legacy_normaliser_divides_by_n_and_says_so():
    scores = np.array([[3.0, 1.0, 1.0], [1.0, 0.0, 1.5], [2.0, 2.0, 0.0]])
    found = places(scores, higher_is_better=False)
    np.testing.assert_allclose(found.expected("n"), found.expected() * 2 / 3)
    assert NORMALISERS["n"].startswith("legacy")
