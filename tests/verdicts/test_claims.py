"""A sentence is printed where everything it needs was shown, and dies with any of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.statistics.intervals import Interval, paired_intervals
from harness.verdicts.claims import Support, as_good_as, beats


def interval(mean: float, spread: float = 0.1, n: int = 40) -> Interval:
    values = np.random.default_rng(0).normal(0, spread, (n, 1))
    return paired_intervals(values - values.mean() + mean, None, ["a"] * n, np.arange(n))[0]


GOOD = Support(
    model="mine",
    baseline="global_mean",
    metric="calibrated.wmse",
    regime="demo:context_ood, val",
    interval=interval(0.2),
    permutation_p=0.001,
    q=0.002,
    family=12,
    passport=True,
    passport_reason="",
    failed_gates=(),
    seeds=3,
    span=0.5,
)


def test_a_claim_with_everything_shown_is_a_sentence_with_its_numbers() -> None:
    claim = beats(GOOD)
    assert claim.shown
    assert claim.reasons == ()
    assert claim.text.startswith("mine beats global_mean on calibrated.wmse in demo:context_ood, val: +0.2 [")
    for part in ("q = 0.002 of 12 tests", "permutation p = 0.001", "40 conditions in 1 contexts", "3 seeds"):
        assert part in claim.text
    assert "these contexts" in claim.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"passport": False, "passport_reason": "inverted"}, "uninformative here: inverted"),
        ({"passport": None}, "was not determined"),
        ({"interval": interval(0.01)}, "is not above 0"),
        ({"interval": interval(-0.2)}, "is not above 0"),
        ({"interval": interval(0.2, n=1)}, "there is no interval"),
        ({"permutation_p": 0.01}, "permutation p = 0.01"),
        ({"permutation_p": None}, "was not done"),
        ({"q": 0.05}, "adjusted q = 0.05 of 12"),
        ({"q": None}, "not adjusted"),
        ({"failed_gates": ("canaries silent",)}, "gates not passed: canaries silent"),
        ({"failed_gates": None}, "gates were not run"),
        ({"seeds": 1}, "1 training seed, 3 are needed"),
        ({"seeds": 2}, "2 training seeds, 3 are needed"),
    ],
)
def test_without_one_of_them_it_is_not_shown_and_says_why(change: dict[str, object], reason: str) -> None:
    claim = beats(replace(GOOD, **change))  # type: ignore[arg-type]
    assert not claim.shown
    assert claim.text.startswith("not shown: ")
    assert len(claim.reasons) == 1
    assert reason in claim.reasons[0]


def test_everything_that_is_missing_is_said() -> None:
    claim = beats(replace(GOOD, passport=False, seeds=1, permutation_p=0.5))
    assert len(claim.reasons) == 3
    assert claim.document()["shown"] is False


def test_an_underpowered_study_says_so() -> None:
    claim = beats(replace(GOOD, interval=interval(0.01, spread=1.0)))
    assert "underpowered" in claim.text


def test_as_good_as_needs_an_interval_that_excludes_a_loss() -> None:
    assert as_good_as(replace(GOOD, interval=interval(0.0, spread=0.01), q=None, permutation_p=None)).shown
    worse = as_good_as(replace(GOOD, interval=interval(-0.1, spread=0.01)))
    assert "−5 % of the span" in worse.text
    assert not as_good_as(replace(GOOD, span=None)).shown
    assert not as_good_as(replace(GOOD, seeds=1)).shown
