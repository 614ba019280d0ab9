"""What an interval holds, and what it is refused for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.statistics.design import Design
from harness.statistics.intervals import NONE, PERCENTILE, Interval, paired_intervals
from harness.statistics.resampling import bootstrap_means

CONTEXTS = np.repeat(["a", "b", "c", "d"], [2, 3, 4, 5])
PERTURBATIONS = np.array([f"p{i}" for i in range(14)])
OURS, THEIRS = np.random.default_rng(7).normal([[[1.0]], [[0.0]]], 1, (2, 14, 3))


def intervals(ours: object, theirs: object = None, **told: object) -> list[Interval]:
    return paired_intervals(ours, theirs, CONTEXTS, PERTURBATIONS, **told)  # type: ignore[arg-type]


def test_contexts_count_equally_whatever_their_size() -> None:
    (found, *_) = intervals(OURS, THEIRS)
    difference = (OURS - THEIRS)[:, 0]
    by_hand = np.mean([difference[context == CONTEXTS].mean() for context in "abcd"])
    assert found.estimate == pytest.approx(by_hand)
    assert (found.n, found.n_contexts, found.n_perturbations, found.undefined) == (14, 4, 14, 0)
    assert found.share_better == np.mean(difference > 0)
    assert found.median == np.median(difference)


def test_few_contexts_give_students_t_of_their_means() -> None:
    from scipy.stats import ttest_1samp

    found = intervals(OURS, THEIRS)[1]
    means = [(OURS - THEIRS)[context == CONTEXTS, 1].mean() for context in "abcd"]
    expected = ttest_1samp(means, 0)
    limits = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high), rel=1e-3)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-2)


def test_an_undefined_condition_is_left_out_on_both_sides_and_counted() -> None:
    ours, theirs = OURS.copy(), THEIRS.copy()
    ours[3, 0], theirs[5, 0] = np.nan, np.nan
    keep = np.delete(np.arange(14), [3, 5])
    found, untouched, _ = intervals(ours, theirs)
    (alone, *_) = paired_intervals(OURS[keep], THEIRS[keep], CONTEXTS[keep], PERTURBATIONS[keep])
    assert found.undefined == 2
    assert (found.low, found.high, found.n) == (alone.low, alone.high, 12)
    assert untouched == intervals(OURS, THEIRS)[1]


def test_nothing_defined_is_no_interval_and_never_0() -> None:
    found = intervals(np.full((14, 1), np.nan))[0]
    assert np.isnan([found.estimate, found.low, found.high, found.p]).all()
    assert found.method == NONE
    assert "no condition" in found.reason
    assert not found.above
    assert json.loads(json.dumps(found.document()))["estimate"] is None


def test_one_condition_has_an_estimate_and_no_interval() -> None:
    (found,) = paired_intervals(np.ones((1, 1)), None, ["a"], ["p"])
    assert found.estimate == 1.0
    assert np.isnan([found.low, found.high, found.p]).all()
    assert "one condition" in found.reason


def test_no_conditions_are_refused() -> None:
    with pytest.raises(HarnessError, match="no conditions"):
        paired_intervals(np.ones((0, 1)), None, [], [])


def test_values_that_do_not_fit_the_conditions_are_refused() -> None:
    with pytest.raises(HarnessError, match="do not fit"):
        intervals(np.ones((13, 1)))


def test_equal_sides_have_the_interval_0_and_p_1() -> None:
    (found,) = intervals(OURS[:, :1], OURS[:, :1])
    assert (found.estimate, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert found.share_better == 0.5
    assert not found.above


def test_a_difference_without_any_scatter_is_not_infinitely_certain() -> None:
    (found,) = intervals(np.ones((14, 1)))
    assert found.above
    assert found.p == 2.0**-13


def test_below_three_contexts_an_interval_speaks_of_these_alone() -> None:
    two = np.repeat(["a", "b"], 7)
    (found,) = paired_intervals(OURS[:, :1], None, two, PERTURBATIONS)
    assert found.scope == "these contexts"
    assert intervals(OURS)[0].scope == "new contexts"
    (asked,) = paired_intervals(OURS[:, :1], None, two, PERTURBATIONS, scope="new contexts")
    assert asked.high - asked.low > found.high - found.low


def test_seeds_that_differ_widen_the_interval_and_are_counted() -> None:
    steady = np.repeat(OURS[:, None, :], 3, axis=1)
    moving = steady + np.array([-1.0, 0.0, 1.0])[None, :, None]
    narrow, wide = intervals(steady, THEIRS)[0], intervals(moving, THEIRS)[0]
    assert narrow.estimate == pytest.approx(wide.estimate)
    assert wide.high - wide.low > narrow.high - narrow.low
    assert wide.n_seeds == 3
    assert intervals(OURS, THEIRS)[0].n_seeds == 1


def test_order_of_conditions_and_turned_sides_change_nothing_but_the_sign() -> None:
    order = np.random.default_rng(1).permutation(14)
    found = intervals(OURS, THEIRS)
    shuffled = paired_intervals(OURS[order], THEIRS[order], CONTEXTS[order], PERTURBATIONS[order])
    turned = intervals(THEIRS, OURS)
    for one, same, mirror in zip(found, shuffled, turned, strict=True):
        assert (same.low, same.high, same.p) == pytest.approx((one.low, one.high, one.p))
        assert (-mirror.high, -mirror.low) == pytest.approx((one.low, one.high))


def test_the_same_seed_gives_the_same_bits_and_another_seed_nearly_the_same() -> None:
    contexts, values = np.repeat(np.arange(30), 4), np.random.default_rng(2).normal(size=(120, 2))
    first, again, other = (
        paired_intervals(values, None, contexts, np.arange(120), seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first[0].method == PERCENTILE
    assert first[0].low != other[0].low
    assert first[0].low == pytest.approx(other[0].low, abs=0.1 * first[0].se)


def test_draws_of_the_bootstrap_have_the_mean_and_keep_contexts_together() -> None:
    design = Design.of(CONTEXTS, PERTURBATIONS)
    of_context = design.contexts[:, None].astype(float)
    draws = bootstrap_means(of_context, design, resamples=4000, seed=0, scope="new contexts")
    assert draws.mean() == pytest.approx(1.5, abs=0.05)
    assert draws.std() == pytest.approx(np.sqrt(1.25 / 4), rel=0.05)
    fixed = bootstrap_means(of_context, design, resamples=10, seed=0, scope="these contexts")
    assert np.allclose(fixed, 1.5)
