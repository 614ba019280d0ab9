"""Permutation tests know what chance can do."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.statistics.permutation import label_permutation, sign_permutation


def test_signs_of_few_differences_are_all_tried() -> None:
    assert sign_permutation(np.ones(5)).tolist() == [1 / 32]
    assert sign_permutation(-np.ones(5)).tolist() == [1.0]


def test_many_differences_are_sampled_and_never_reach_0() -> None:
    assert sign_permutation(np.ones(60)).tolist() == [1 / 10_000]


def test_under_no_difference_p_is_uniform() -> None:
    p = sign_permutation(np.random.default_rng(0).standard_normal((30, 2000)), resamples=999)
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.04)


def test_conditions_of_a_cluster_turn_together() -> None:
    alone = sign_permutation(np.ones(6))
    together = sign_permutation(np.ones(6), ["a", "a", "b", "b", "c", "c"])
    assert (alone[0], together[0]) == (1 / 64, 1 / 8)


def test_undefined_differences_say_nothing() -> None:
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [1.0, np.nan]])
    p = sign_permutation(values)
    assert p[0] == 1 / 4
    assert np.isnan(p[1])
    with pytest.raises(HarnessError, match="no differences"):
        sign_permutation(np.ones((0, 1)))


@pytest.mark.parametrize(
    "matrix",
    [np.ones((8, 8)), np.tile(np.linspace(0.1, 0.7, 8), (8, 1)), np.tile(np.linspace(0, 1, 8)[:, None], 8)],
    ids=["all the same", "says the same of every perturbation", "every truth fits the same"],
)
def test_a_prediction_without_preference_has_p_1(matrix: np.ndarray) -> None:
    assert label_permutation([matrix, matrix]).p == 1.0


def test_a_prediction_of_its_own_perturbation_has_the_smallest_p() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (20, 20))
    found = label_permutation([noise + np.eye(20)])
    assert found.p == 1 / 1000
    assert found.statistic == pytest.approx(1, abs=0.1)
    assert found.null_mean == pytest.approx(0.05, abs=0.05)
    assert found.n == 20


def test_labels_never_leave_their_context() -> None:
    """Each context alone says the same of all, however much contexts differ."""
    assert label_permutation([np.full((5, 5), 0.9), np.full((5, 5), 0.1)]).p == 1.0


def test_random_predictions_reject_as_often_as_their_level() -> None:
    rng = np.random.default_rng(2)
    p = [label_permutation([rng.normal(size=(12, 12))], resamples=199).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)


def test_undefined_own_pairs_and_lonely_conditions_are_left_out() -> None:
    matrix = np.eye(4)
    matrix[1, 1] = np.nan
    assert label_permutation([matrix, np.ones((1, 1))]).n == 3
    with pytest.raises(HarnessError, match="tell apart"):
        label_permutation([np.ones((1, 1))])
    with pytest.raises(HarnessError, match="square"):
        label_permutation([np.ones((2, 3))])


def test_the_same_seed_gives_the_same_bits() -> None:
    matrix = np.random.default_rng(3).normal(size=(9, 9))
    assert label_permutation([matrix], seed=4) == label_permutation([matrix], seed=4)
