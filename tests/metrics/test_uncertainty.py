"""The uncertainty panel as a whole: complete, each card in its declared direction, the same in any blocks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import risk_coverage
from harness.metrics.card import Direction, Undefined, cards
from harness.metrics.decomposition import FILLED_PARTS, NO_PARTS
from harness.metrics.forecasts import BLOCK_CONDITIONS
from harness.metrics.uncertainty import (
    CONDITION_NAMES,
    NAMES,
    PANEL,
    TASK_NAMES,
    condition_values,
    summarise,
    task_values,
)
from harness.metrics.uncertainty_document import uncertainty_document

COUNTS = {"reported": 60, "iid": 30, "calib": 30}
GENES = 80
JUDGED = [name for name in NAMES if cards()[f"{PANEL}.{name}"].direction is not Direction.NONE]


def world(make_forecasts, *, good, seed=6):
    """Conditions of all kinds. Good: small errors whose size is told, larger and told to be out of distribution.

    Bad: errors are many times as large, the most where they are reported; the claims are too narrow, certain where the
    errors are large, and least certain in distribution.
    """
    rng = np.random.default_rng(seed)
    kinds = np.repeat(list(COUNTS), list(COUNTS.values()))
    reported = (kinds == "reported")[:, None]
    n = len(kinds)
    size = 0.2 * np.exp(0.5 * rng.normal(size=(n, 1)))
    truth = rng.normal(size=(n, GENES)) * (1 + np.arange(n) % 7)[:, None] ** 0.25
    noise = rng.normal(size=truth.shape)
    if good:
        error = size * np.where(reported, 1.5, 1)
        error = np.where((kinds == "calib")[:, None], 1.5 * size, error)
        sd, epistemic = error, error**2 - 0.01 * np.min(error) ** 2
    else:
        error = size * np.select([reported, (kinds == "calib")[:, None]], [9, 5], 3)
        sd = 0.1 / error * np.where((kinds == "iid")[:, None], 1, 0.1)
        epistemic = sd**2 * np.where(reported, 0.01, 0.9)
    claimed = np.broadcast_to(sd**2, truth.shape)
    return make_forecasts(
        truth + error * noise,
        truth,
        claimed,
        kinds=tuple(kinds.tolist()),
        contexts=tuple(f"c{i % 3}" for i in range(n)),
        perturbations=tuple(f"p{i}" for i in range(n)),
        epistemic=np.broadcast_to(epistemic, truth.shape),
        n_cells=10 + np.arange(n) % 5,
    )


@pytest.fixture(scope="module")
def everything(make_forecasts):
    """All values of a good and of a bad forecast; condition-level ones as means over the reported conditions."""

    def measure(good):
        summary = summarise(world(make_forecasts, good=good))
        reported = summary.forecasts.of_kind("reported")
        means = {name: summary.column(name)[reported].mean() for name in CONDITION_NAMES}
        return means | task_values(summary)

    return measure(True), measure(False)


def test_names_cards_and_outputs_agree(make_forecasts):
    summary = summarise(world(make_forecasts, good=True))
    declared = {card.name for card in cards().values() if card.panel == PANEL}
    assert declared == set(NAMES)
    assert len(NAMES) == len(set(NAMES))
    assert tuple(summary.values) == CONDITION_NAMES
    assert tuple(task_values(summary)) == TASK_NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_carries_a_whole_card(name):
    card = cards()[f"{PANEL}.{name}"]
    assert "$" in card.description
    assert card.reference
    assert card.pathologies
    assert card.unit == ("condition" if name in CONDITION_NAMES else "task")
    if card.optimum is not None:
        assert card.range[0] <= card.optimum <= card.range[1]


@pytest.mark.parametrize("name", JUDGED)
def test_a_better_forecast_scores_better_in_the_declared_direction(name, everything):
    good, bad = (side[name] for side in everything)
    assert not isinstance(good, Undefined)
    assert not isinstance(bad, Undefined)
    assert cards()[f"{PANEL}.{name}"].better(good, bad)


def test_what_carries_claims_may_rank():
    ranking = {name for name in NAMES if cards()[f"{PANEL}.{name}"].may_rank}
    assert ranking == {"crps", "crps_skill", "coverage_90_error"}


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_every_value_lies_in_its_declared_range(make_forecasts, seed):
    rng = np.random.default_rng(seed)
    n = 45
    kinds = tuple(rng.choice(list(COUNTS), size=n).tolist())
    mean, observed = rng.normal(size=(2, n, 6)).round(1)
    variance = np.where(rng.random((n, 6)) < 0.1, 0, rng.exponential(size=(n, 6)))
    forecasts = make_forecasts(mean, observed, variance, kinds=kinds, epistemic=variance / 2)
    summary = summarise(forecasts)
    found = task_values(summary) | {
        name: value for name, values in summary.values.items() for value in values
    }
    for name, value in found.items():
        low, high = cards()[f"{PANEL}.{name}"].range
        assert isinstance(value, Undefined) or low <= value <= high + 1e-12


def test_each_condition_is_scored_on_its_own_to_the_last_bit(make_forecasts):
    forecasts = world(make_forecasts, good=False)
    positions = np.random.default_rng(0).permutation(len(forecasts))
    whole = condition_values(forecasts)
    for chosen in (positions[:1], positions[:7], positions):
        part = condition_values(next(forecasts.blocks(chosen)))
        for name in CONDITION_NAMES:
            assert part[name] == [whole[name][i] for i in chosen.tolist()]


def test_more_conditions_than_a_block_and_other_memory_give_the_same_values(make_forecasts, tmp_path):
    rng = np.random.default_rng(1)
    n = 2 * BLOCK_CONDITIONS + 3
    mean, observed = rng.normal(size=(2, n, 11)).astype(np.float32)
    forecasts = make_forecasts(mean, observed, 1.0)
    np.save(tmp_path / "mean.npy", mean)
    mapped = replace(
        forecasts,
        mean=np.load(tmp_path / "mean.npy", mmap_mode="r"),
        observed=np.asfortranarray(observed),
    )
    assert condition_values(mapped) == condition_values(forecasts)
    assert len(condition_values(forecasts)["crps"]) == n


def test_a_filled_variance_orders_nothing_and_says_why(make_forecasts):
    forecasts = replace(world(make_forecasts, good=True), filled=True)
    values = task_values(summarise(forecasts))
    same = Undefined(risk_coverage.FILLED)
    for name in (
        "aurc", "aurc_gain", "aurc_advantage", "uncertainty_risk_spearman", "uncertainty_risk_p", "risk_curve_deviation",
        "ood_auroc", "ood_auroc_matched",
    ):  # fmt: skip
        assert values[name] == same
    for name in ("epistemic_ratio", "aleatoric_ratio"):
        assert values[name] == Undefined(FILLED_PARTS)
    assert not isinstance(values["coverage_90_error"], Undefined)
    assert not isinstance(values["conformal_coverage"], Undefined)
    assert set(values) == set(TASK_NAMES)


def test_a_constant_variance_of_the_submissions_own_is_scored_not_excused(make_forecasts):
    forecasts = replace(world(make_forecasts, good=True), claimed=np.ones((120, GENES)), epistemic=None)
    values = task_values(summarise(forecasts))
    assert values["ood_auroc"] == 0.5
    assert values["aurc_gain"] == pytest.approx(values["aurc_gain_norm"]), (
        "it orders by the size of the prediction"
    )
    assert values["aurc_advantage"] == 0
    assert values["epistemic_ratio"] == Undefined(NO_PARTS)


def test_no_variance_at_all_leaves_everything_undefined_with_one_reason(make_forecasts):
    reason = "no variance was given"
    nothing = np.full((120, GENES), np.nan)
    forecasts = replace(
        world(make_forecasts, good=True),
        variance=nothing,
        claimed=nothing,
        epistemic=None,
        no_variance=reason,
    )
    summary = summarise(forecasts)
    assert set(task_values(summary).values()) == {Undefined(reason)}
    assert summary.values["crps"] == [Undefined(reason)] * 120


def test_the_document_holds_what_metrics_json_must_and_no_nan(make_forecasts):
    forecasts = world(make_forecasts, good=True)
    summary = summarise(forecasts)
    document = uncertainty_document(summary, task_values(summary))
    assert set(document) >= {
        "coverage", "nll", "crps", "risk_coverage", "ood_auroc", "conformal", "decomposition", "per_perturbation",
        "per_context",
    }  # fmt: skip
    again = uncertainty_document(summary, task_values(summary))
    assert json.dumps(document, allow_nan=False, sort_keys=True) == json.dumps(again, sort_keys=True)
    assert set(document["global"]) == set(NAMES)
    assert set(document["per_context"]) == {"c0", "c1", "c2"}
    assert len(document["per_perturbation"]) == COUNTS["reported"]
    assert document["coverage"]["90"]["strongest_decile"]["n"] == 6
    assert document["risk_coverage"]["curve"]["coverage"][-1] == 1
    assert document["conformal"]["iid"]["n_calibration"] == COUNTS["iid"]
    assert set(document["conformal"]["calib"]["perturbation"]["per_context"]) == {"c0", "c1", "c2"}


def test_every_null_of_the_document_has_its_reason_beside(make_forecasts):
    forecasts = world(make_forecasts, good=True)
    for told in (
        {"filled": True},
        {"kinds": ("reported",) * 120},
        {"kinds": ("calib",) * 120},
        {"variance": np.full((120, GENES), np.nan)},
        {"variance": np.zeros((120, GENES))},
    ):
        summary = summarise(replace(forecasts, **told))
        document = uncertainty_document(summary, task_values(summary))
        json.dumps(document, allow_nan=False)
        for path, holder in holders_of_null(document):
            assert "reason" in holder, path


def holders_of_null(document, path=""):
    """Every object of a document that holds a null value."""
    for key, value in document.items():
        if value is None:
            yield f"{path}/{key}", document
        elif isinstance(value, dict):
            yield from holders_of_null(value, f"{path}/{key}")


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_conditions_does_not_change_a_task(make_forecasts, seed):
    forecasts = world(make_forecasts, good=False)
    order = np.random.default_rng(seed).permutation(len(forecasts))
    values = task_values(summarise(forecasts))
    shuffled = task_values(summarise(next(forecasts.blocks(order))))
    for name, value in values.items():
        same = value if isinstance(value, Undefined) else pytest.approx(value, rel=1e-9)
        assert shuffled[name] == same, name
