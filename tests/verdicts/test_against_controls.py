"""A submission beside its strongest baseline: spans, differences, and the claims of all its metrics as one family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.controls.catalogue import CONTROLS
from harness.controls.control_set import ControlScore, ControlSet
from harness.scoring.score_table import Scored, ScoreTable
from harness.verdicts.against_controls import Standing, against_strongest, claims, spans
from harness.verdicts.intervals import Side
from harness.verdicts.passports import Condition, Passport

WMSE = "calibrated.wmse"
CONDITIONS = tuple(Scored("a", f"p{i:02}", "", "reported", "", 30) for i in range(40))
PASSED = Standing(
    "demo, val", {WMSE: Passport(WMSE, True, (Condition("bracketed", "pass", 0.9, ""),), 40)}, (), 0.001
)


def table(mean: float, seed: int) -> ScoreTable:
    values = mean + np.random.default_rng(seed).normal(0, 0.02, len(CONDITIONS))
    return ScoreTable(CONDITIONS, {WMSE: values}, {WMSE: float(values.mean())})


def controls() -> ControlSet:
    means = {"control_only": 1.0, "global_mean": 0.8, "ridge": 0.5, "technical_duplicate": 0.1}
    return ControlSet(
        {
            name: ControlScore(CONTROLS[name], (table(mean, i),))
            for i, (name, mean) in enumerate(means.items())
        }
    )


def model(mean: float, seeds: int = 3) -> Side:
    return Side("mine", tuple(table(mean, 10 + seed) for seed in range(seeds)))


def test_the_span_goes_from_the_train_mean_to_a_replicate() -> None:
    assert spans(controls(), [WMSE]) == {WMSE: pytest.approx(0.7, abs=0.02)}
    assert spans(ControlSet({}), [WMSE]) == {}


def test_the_strongest_baseline_is_the_one_to_beat_but_never_the_own_rule() -> None:
    name, interval = against_strongest(model(0.3), controls(), [WMSE])[WMSE]
    assert name == "ridge"
    assert interval.above
    assert against_strongest(model(0.5), controls(), [WMSE], own="ridge")[WMSE][0] == "global_mean"


def test_nothing_is_claimed_of_a_choice_of_conditions_or_of_runs() -> None:
    whole = model(0.3)
    weak = np.arange(len(CONDITIONS)) < 10
    picking = Side(
        "mine",
        tuple(
            ScoreTable(CONDITIONS, {WMSE: np.where(weak, np.nan, one.values[WMSE])}, one.overall)
            for one in whole.tables
        ),
    )
    (picked,) = claims(picking, controls(), [WMSE], PASSED)
    assert picked.text == "not shown: mine has no value in 10 conditions in which ridge has one"
    (lucky,) = claims(whole, controls(), [WMSE], replace(PASSED, other_runs=47))
    assert lucky.text == "not shown: 47 other runs of the same configuration were left out"


def test_what_was_shown_is_claimed() -> None:
    (better,) = claims(model(0.3), controls(), [WMSE], PASSED)
    assert better.text.startswith("mine beats ridge on calibrated.wmse in demo, val: +0.2")
    (same,) = claims(model(0.5), controls(), [WMSE], PASSED)
    assert (same.kind, same.shown) == ("is as good as", True)
    (worse,) = claims(model(0.7), controls(), [WMSE], PASSED)
    assert (worse.kind, worse.shown) == ("beats", False)
    (one_seed,) = claims(model(0.3, seeds=1), controls(), [WMSE], PASSED)
    assert one_seed.text == "not shown: 1 training seed, 3 are needed"


def test_differences_that_are_known_already_give_the_same_claims() -> None:
    side, found = model(0.3), against_strongest(model(0.3), controls(), [WMSE])
    assert claims(side, controls(), [WMSE], PASSED, against=found) == claims(side, controls(), [WMSE], PASSED)
