"""The aggregation of scPerturBench's table."""

from __future__ import annotations

import pytest

from harness.metrics.aggregation_table import ALL_GENES, TOP100, aggregate
from harness.metrics.card import Undefined

LOWER = ("edistance", "mse", "wasserstein", "kl_log2p1")


def row(lower, higher):
    return dict.fromkeys(LOWER, lower) | dict.fromkeys(("pcc_delta", "common_degs"), higher)


def test_the_best_method_has_score_1_and_rank_1_and_correlations_enter_as_they_are():
    table = aggregate({"good": row(1.0, 0.5), "fair": row(2.0, 0.25), "poor": row(3.0, 0.0)})
    assert [table[name]["score_mse"] for name in ("good", "fair", "poor")] == [1, 0.5, 0]
    assert [table[name]["score_pcc_delta"] for name in ("good", "fair", "poor")] == [0.5, 0.25, 0]
    assert [table[name]["overall_rank_top100"] for name in ("good", "fair", "poor")] == [1, 2, 3]
    assert table["good"]["overall_score_top100"] == pytest.approx((4 + 2 * 0.5) / 6)
    assert table["good"]["overall_score_all_genes"] == pytest.approx((3 + 0.5) / 4)


def test_ties_share_the_smallest_rank():
    table = aggregate({"a": row(1.0, 0.5), "b": row(1.0, 0.5), "c": row(2.0, 0.1)})
    assert [table[name]["rank_mse"] for name in "abc"] == [1, 1, 3]
    assert [table[name]["overall_rank_top100"] for name in "abc"] == [1, 1, 3]


def test_four_metrics_count_for_all_genes_and_six_for_the_top_100():
    assert set(TOP100) - set(ALL_GENES) == {"wasserstein", "common_degs"}


def test_the_order_of_methods_does_not_matter():
    methods = {"a": row(1.0, 0.5), "b": row(4.0, 0.6), "c": row(2.0, 0.1)}
    assert aggregate(dict(reversed(methods.items()))) == aggregate(methods)


def test_who_else_entered_changes_a_score():
    two = {"a": row(1.0, 0.5), "b": row(2.0, 0.5)}
    three = two | {"c": row(101.0, 0.5)}
    assert aggregate(two)["b"]["score_mse"] == 0
    assert aggregate(three)["b"]["score_mse"] == pytest.approx(0.99)


def test_a_method_with_an_undefined_metric_has_no_overall_value_and_others_keep_theirs():
    lacking = row(1.0, 0.5) | {"pcc_delta": Undefined("constant")}
    table = aggregate({"a": lacking, "b": row(2.0, 0.4), "c": row(3.0, 0.3)})
    assert table["a"]["overall_score_top100"] == Undefined("constant")
    assert table["a"]["overall_rank_top100"] == Undefined("constant")
    assert table["b"]["rank_pcc_delta"] == 1
    assert table["b"]["overall_rank_top100"] == 1


def test_methods_that_all_agree_have_no_scaled_score():
    table = aggregate({"a": row(1.0, 0.5), "b": row(1.0, 0.3)})
    assert isinstance(table["a"]["score_mse"], Undefined)
    assert table["a"]["overall_score_top100"] == pytest.approx(0.5)
