"""A metric earns its vote: each condition of a passport, on arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.metrics.card import cards
from harness.verdicts.passports import Evidence, passport

LOWER, HIGHER = cards()["calibrated.wmse"], cards()["calibrated.retrieval"]
N = 30


def error(level: float, spread: float = 0.05) -> np.ndarray:
    """Errors of N conditions; another level draws other noise."""
    return level + spread * np.random.default_rng(round(level * 100)).standard_normal(N)


@pytest.fixture
def sound() -> Evidence:
    duplicate = error(0.3)
    return Evidence(
        nothing=error(1.1),
        negative=error(1.0),
        duplicate=duplicate,
        interpolated=error(0.25),
        perfect=0.0,
        contexts=np.repeat([0, 1], N // 2),
        perturbations=np.tile(np.arange(N // 2), 2),
        sweep={1.0: duplicate, 4.0: duplicate + 1, 0.25: duplicate + 0.4},
    )


def failed(evidence: Evidence, card=LOWER) -> set[str]:
    found = passport("m", card, evidence)
    assert found.granted == (not any(one.verdict == "fail" for one in found.conditions))
    return {one.name for one in found.conditions if one.verdict == "fail"}


def test_a_metric_that_controls_bracket_gets_one(sound: Evidence) -> None:
    assert failed(sound) == set()


def test_a_replicate_that_hardly_leaves_the_mean_does_not_bracket(sound: Evidence) -> None:
    assert "bracketed" in failed(replace(sound, interpolated=sound.negative - 0.05))


def test_a_replicate_below_the_mean_inverts_the_metric(sound: Evidence) -> None:
    assert "not inverted" in failed(replace(sound, duplicate=sound.negative + 0.2))


def test_the_replicate_must_be_closer_than_no_effect(sound: Evidence) -> None:
    assert "replicate closer" in failed(replace(sound, nothing=sound.duplicate.copy()))


def test_where_no_effect_has_no_value_the_mean_stands_in(sound: Evidence) -> None:
    found = passport("m", LOWER, replace(sound, nothing=np.full(N, np.nan)))
    assert found.granted
    assert "the mean" in next(one.reason for one in found.conditions if one.name == "replicate closer")


def test_a_metric_that_an_inflated_replicate_wins_is_not_stable(sound: Evidence) -> None:
    assert failed(replace(sound, sweep={1.0: sound.duplicate, 4.0: sound.duplicate - 0.1})) == {
        "stable under scaling"
    }


def test_a_metric_that_does_not_see_scale_is_stable(sound: Evidence) -> None:
    assert failed(replace(sound, sweep=dict.fromkeys((0.25, 1.0, 4.0), sound.duplicate))) == set()


def test_too_few_conditions_to_tell_replicate_from_mean_are_said_so(sound: Evidence) -> None:
    wide = replace(sound, duplicate=sound.duplicate + np.tile([-4.0, 4.0], N // 2))
    assert "detectable" in failed(wide)


def test_retrieval_that_a_baseline_solves_has_no_headroom(sound: Evidence) -> None:
    good = replace(
        sound,
        nothing=np.full(N, 0.5),
        negative=np.full(N, 0.5),
        duplicate=np.clip(0.9 + 0.05 * np.random.default_rng(5).standard_normal(N), 0, 1),
        interpolated=np.full(N, 0.95),
        perfect=1.0,
        sweep={},
    )
    assert failed(replace(good, strongest=np.full(N, 1.0)), HIGHER) == {"headroom"}
    assert failed(replace(good, strongest=np.full(N, 0.6)), HIGHER) == set()


def test_undefined_conditions_are_left_out_and_counted(sound: Evidence) -> None:
    holes = sound.negative.copy()
    holes[:10] = np.nan
    assert passport("m", LOWER, replace(sound, negative=holes)).n == N - 10


def test_a_handful_of_conditions_is_not_enough(sound: Evidence) -> None:
    holes = np.full(N, np.nan)
    holes[:4] = 1.0
    found = passport("m", LOWER, replace(sound, negative=holes))
    assert not found.granted
    assert "4 conditions" in found.reason


def test_the_value_of_the_task_counts_where_it_is_no_mean_of_conditions(sound: Evidence) -> None:
    assert "bracketed" in failed(replace(sound, overall={"negative": 1.0, "interpolated": 0.99}))
