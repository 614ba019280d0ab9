"""Submissions beside each other: pairs, one family, and an order that says no more than that."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.scoring.score_table import Scored, ScoreTable
from harness.statistics.ranks import places
from harness.verdicts.compare import Comparison, compare
from harness.verdicts.intervals import Side, differences

WMSE, RETRIEVAL, PUBLISHED = "calibrated.wmse", "calibrated.retrieval", "scperturbench.mse_all"
CONDITIONS = tuple(
    Scored(context, f"p{i:02}", "", "reported", "", 30) for context in ("a", "b", "c", "d") for i in range(10)
)


def table(values: dict[str, np.ndarray]) -> ScoreTable:
    return ScoreTable(
        CONDITIONS, values, {name: float(np.nanmean(column)) for name, column in values.items()}
    )


def side(name: str, shift: float, *, seeds: int = 1, noise: float = 0.02, metric: str = WMSE) -> Side:
    """A submission whose values lie around 1 − shift."""
    rng = np.random.default_rng(sum(name.encode()))
    return Side(
        name, tuple(table({metric: 1 - shift + rng.normal(0, noise, len(CONDITIONS))}) for _ in range(seeds))
    )


def words(comparison: Comparison) -> dict[tuple[str, str], str]:
    return {(pair.ours, pair.theirs): pair.word for pair in comparison.metrics[0].pairs}


def ranks(comparison: Comparison) -> dict[str, tuple[int, int, int]]:
    return {
        one.name: (one.place.group, one.place.low, one.place.high)
        for one in comparison.metrics[0].standings
        if one.place
    }


def test_a_lower_error_is_better_and_stands_first() -> None:
    found = compare([side("bad", 0.0), side("good", 0.5)], [WMSE])
    assert words(found) == {("good", "bad"): "better"}
    assert ranks(found) == {"good": (1, 1, 1), "bad": (2, 2, 2)}
    assert [one.name for one in found.metrics[0].standings] == ["good", "bad"]
    assert found.metrics[0].standings[0].shared == pytest.approx(0.5, abs=0.02)
    assert found.metrics[0].pairs[0].interval.estimate == pytest.approx(0.5, abs=0.02)


def test_what_cannot_be_told_apart_shares_a_group_and_a_rank_interval() -> None:
    found = compare([side("twin", 0.5), side("other twin", 0.5), side("bad", 0.0)], [WMSE])
    assert ranks(found) == {"twin": (1, 1, 2), "other twin": (1, 1, 2), "bad": (2, 3, 3)}


def test_a_chain_of_neighbours_has_overlapping_ranks() -> None:
    """a is better than c alone; b is told apart from neither."""
    better = np.array([[0, 0, 1], [0, 0, 0], [0, 0, 0]], np.bool_)
    found = places(np.array([3.0, 2.0, 1.0]), better)
    assert [(one.group, one.low, one.high) for one in found] == [(1, 1, 2), (1, 1, 3), (2, 2, 3)]


def test_all_pairs_on_all_metrics_are_one_family() -> None:
    def both(name: str, shift: float) -> Side:
        (one,) = side(name, shift).tables
        (two,) = side(name, -shift, metric=RETRIEVAL).tables
        return Side(name, (table({**one.values, **two.values}),))

    found = compare([both("x", 0.0), both("y", 0.01), both("z", 0.02)], [WMSE, RETRIEVAL])
    assert found.family == 6
    for metric in found.metrics:
        for pair in metric.pairs:
            assert pair.q >= pair.interval.p


def test_undefined_conditions_are_left_out_for_everybody_and_counted() -> None:
    """Who has no value where it is hard does not stand on easier conditions."""
    hard = np.arange(len(CONDITIONS)) % 4 == 0
    values = np.where(hard, 5.0, 1.0) + np.random.default_rng(0).normal(0, 0.01, len(CONDITIONS))
    complete = Side("complete", (table({WMSE: values - 0.1}),))
    silent = Side("silent", (table({WMSE: np.where(hard, np.nan, values)}),))
    found = compare([complete, silent], [WMSE])
    assert found.metrics[0].n == int((~hard).sum())
    first, second = found.metrics[0].standings
    assert (first.name, first.undefined, second.undefined) == ("complete", 0, int(hard.sum()))
    assert second.value < first.value  # its own mean flatters it
    assert second.shared > first.shared


def test_who_has_no_value_where_another_has_one_is_shown_and_not_ranked() -> None:
    """A constant prediction has no correlation: given wherever it is unsure, it would leave the easy conditions."""
    easy = np.arange(len(CONDITIONS)) % 2 == 0
    picked = side("picks", 0.5).tables[0].values[WMSE]
    picks = Side("picks", (table({WMSE: np.where(easy, picked, np.nan)}),))
    found = compare([picks, side("answers", 0.3), side("bad", 0.0)], [WMSE])
    assert words(found)["picks", "answers"] == "leaves conditions out"
    assert ranks(found) == {"answers": (1, 1, 1), "bad": (2, 2, 2)}
    assert found.metrics[0].standings[0].left_out == 20


def test_a_difference_too_small_for_the_study_is_underpowered_not_equal() -> None:
    sides = [side("x", 0.5, noise=0.5), side("y", 0.5, noise=0.5)]
    assert set(words(compare(sides, [WMSE], spans={WMSE: 0.1})).values()) == {"underpowered"}
    assert set(words(compare(sides, [WMSE], spans={WMSE: 100.0})).values()) == {"no difference shown"}
    same = side("x", 0.5)
    assert set(words(compare([same, Side("copy", same.tables)], [WMSE])).values()) == {"equal"}


def test_a_metric_without_passport_or_vote_is_shown_and_ranks_nobody() -> None:
    sides = [side("good", 0.5), side("bad", 0.0)]
    found = compare(sides, [WMSE], uninformative={WMSE: "a replicate is no better than the mean"})
    assert ranks(found) == {}
    assert "uninformative" in (found.metrics[0].not_ranked or "")
    assert words(found) == {("good", "bad"): "better"}
    published = compare([side(name, 0.1, metric=PUBLISHED) for name in "xy"], [PUBLISHED])
    assert ranks(published) == {}


def test_a_metric_of_the_whole_task_is_not_compared_by_conditions() -> None:
    found = compare([side("x", 0.5), side("y", 0.2)], ["uncertainty.coverage_90_error"])
    assert set(words(found).values()) == {"not comparable"}
    assert "whole task" in (found.metrics[0].not_ranked or "")
    json.dumps(found.document(), allow_nan=False)


def test_seeds_that_differ_take_certainty() -> None:
    base = side("base", 0.0)
    shifts = (0.1, 0.5, 0.9)
    moving = Side("moving", tuple(side(f"m{shift}", shift).tables[0] for shift in shifts))
    steady = side("steady", 0.5, seeds=3)
    wide = differences(moving, base, [WMSE])[WMSE]
    narrow = differences(steady, base, [WMSE])[WMSE]
    assert wide.n_seeds == narrow.n_seeds == 3
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_scores_of_different_conditions_are_refused() -> None:
    other = ScoreTable(CONDITIONS[:-1], {WMSE: np.zeros(len(CONDITIONS) - 1)}, {WMSE: 0.0})
    with pytest.raises(HarnessError, match="different conditions"):
        compare([side("x", 0.0), Side("y", (other,))], [WMSE])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_order_of_the_arguments_changes_no_verdict(order: Sequence[int]) -> None:
    sides = [side("x", 0.5), side("y", 0.5), side("z", 0.2)]
    found = compare([sides[i] for i in order], [WMSE])
    assert ranks(found) == ranks(compare(sides, [WMSE]))
