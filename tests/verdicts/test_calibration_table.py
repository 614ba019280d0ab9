"""Which metrics to trust where effects are sparse and every perturbed cell shares a shift: a table, and its verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.metrics.card import cards
from harness.verdicts.passports import Evidence, Passport, dynamic_range, passport

CENTRED = ("pcc_delta_centred", "retrieval")
Table = dict[str, dict[str, np.ndarray]]


def scored(screen: Any) -> Table:
    n = len(screen.truth)
    predictions = {
        "no effect": np.zeros_like(screen.truth),
        "train mean": np.tile(screen.train_mean, (n, 1)),
        "label-shuffled duplicate": np.roll(screen.duplicate, 1, axis=0),
        "technical duplicate": screen.duplicate,
        "interpolated duplicate": screen.interpolated(),
        "oracle effect": screen.latent,
    }
    table = {name: screen.scores(effects) for name, effects in predictions.items()}
    table |= {f"x{s:g}": screen.scores(s * screen.duplicate) for s in (0.25, 0.5, 2.0, 4.0)}
    return table


def judged(table: Table, metric: str) -> Passport:
    n = len(table["no effect"][metric])
    return passport(
        f"calibrated.{metric}",
        cards()[f"calibrated.{metric}"],
        Evidence(
            nothing=table["no effect"][metric],
            negative=table["no effect" if metric in CENTRED else "train mean"][metric],
            duplicate=table["technical duplicate"][metric],
            interpolated=table["interpolated duplicate"][metric],
            perfect=cards()[f"calibrated.{metric}"].optimum or 0.0,
            contexts=np.zeros(n, np.int64),
            perturbations=np.arange(n),
            sweep={float(name[1:]): table[name][metric] for name in table if name[0] == "x"}
            | {1.0: table["technical duplicate"][metric]},
        ),
    )


@pytest.fixture(scope="module")
def table(make_screen: Callable[..., Any]) -> Table:
    return scored(make_screen())


def mean(table: Table, control: str, metric: str) -> float:
    return float(np.nanmean(table[control][metric]))


def test_the_train_mean_beats_a_replicate_in_correlation(table: Table) -> None:
    order = [
        "label-shuffled duplicate",
        "technical duplicate",
        "train mean",
        "interpolated duplicate",
        "oracle effect",
    ]
    values = [mean(table, control, "pcc_delta") for control in order]
    assert values == sorted(values)


@pytest.mark.parametrize("metric", ["mse", "wmse"])
def test_errors_put_the_controls_in_the_order_of_what_they_know(table: Table, metric: str) -> None:
    order = ["no effect", "train mean", "technical duplicate", "interpolated duplicate", "oracle effect"]
    values = [mean(table, control, metric) for control in order]
    assert values == sorted(values, reverse=True)


def test_a_shared_shift_alone_is_worth_nothing_once_it_is_taken_off(table: Table) -> None:
    assert abs(mean(table, "no effect", "pcc_delta_centred")) < 0.05
    assert abs(mean(table, "label-shuffled duplicate", "pcc_delta_centred")) < 0.05
    assert np.isnan(table["train mean"]["pcc_delta_centred"]).all()
    assert mean(table, "train mean", "retrieval") == 0.5
    assert mean(table, "no effect", "retrieval") == 0.5
    assert mean(table, "technical duplicate", "retrieval") > 0.75


def test_the_error_that_weighs_genes_has_far_more_range_than_the_plain_one(table: Table) -> None:
    def share(metric: str) -> float:
        return dynamic_range(
            mean(table, "train mean", metric), mean(table, "technical duplicate", metric), 0.0
        )

    assert share("wmse") > 0.9
    assert 0 < share("mse") < 0.3


def test_correlation_gets_no_passport_and_says_that_it_is_inverted(table: Table) -> None:
    found = judged(table, "pcc_delta")
    assert not found.granted
    assert found.shown == "uninformative"
    assert "no better than the negative control" in found.reason


@pytest.mark.parametrize("metric", ["wmse", "retrieval", "pcc_delta_centred"])
def test_weighted_error_and_retrieval_get_theirs(table: Table, metric: str) -> None:
    found = judged(table, metric)
    assert found.granted, found.conditions
    assert found.shown == "passport"


def test_without_the_shared_shift_correlation_earns_its_vote_too(make_screen: Callable[..., Any]) -> None:
    assert judged(scored(make_screen(shift=0.0, effect=2.0)), "pcc_delta").granted


def test_where_nothing_happens_no_metric_gets_a_passport(make_screen: Callable[..., Any]) -> None:
    table = scored(make_screen(shift=0.0, effect=0.0))
    for metric in ("mse", "wmse", "pcc_delta", "pcc_delta_centred", "retrieval"):
        assert not judged(table, metric).granted, metric
