"""Scaled scores: 0 is the train mean, 1 the technical duplicate, and the sign is that of the metric."""

from __future__ import annotations

import math

import pytest

from harness.controls.analytic import check_controls
from harness.controls.catalogue import CENTRED, CONTROLS
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.scaled import NO_DIRECTION, NOT_BRACKETED, scaled_scores
from harness.errors import HarnessError
from harness.scoring.score_table import ScoreTable

MSE, RATIO, CORRELATION = "calibrated.mse", "collapse.variance_ratio", "calibrated.pcc_delta_centred"


def table(**values: float) -> ScoreTable:
    return ScoreTable((), {}, {name.replace("__", "."): value for name, value in values.items()})


def control_set(**scores: list[ScoreTable]) -> ControlSet:
    return ControlSet({name: ControlScore(CONTROLS[name], tuple(tables)) for name, tables in scores.items()})


def test_the_duplicate_scales_to_one_and_the_mean_to_zero(controls):
    duplicate, mean, nothing = (
        controls[name] for name in ("technical_duplicate", "global_mean", "control_only")
    )
    own = ScoreTable((), {}, {m: duplicate.overall(m) for m in duplicate.tables[0].overall})
    for name, one in scaled_scores(own, controls).items():
        assert one.scaled is None or one.scaled == pytest.approx(1), name
    for name, one in scaled_scores(mean.tables[0], controls).items():
        if name not in CENTRED:
            assert one.scaled is None or one.scaled == pytest.approx(0, abs=1e-12), name
    of_nothing = scaled_scores(nothing.tables[0], controls)
    for name in CENTRED:
        assert of_nothing[name].scaled == pytest.approx(0, abs=1e-12)


def test_less_error_scales_higher_and_nothing_is_clipped():
    controls = control_set(
        global_mean=[table(calibrated__mse=2.0)],
        technical_duplicate=[table(calibrated__mse=0.9), table(calibrated__mse=1.1)],
    )
    for raw, expected in ((2.0, 0.0), (1.0, 1.0), (0.5, 1.5), (4.0, -2.0)):
        found = scaled_scores(table(calibrated__mse=raw), controls)[MSE]
        assert found.scaled == pytest.approx(expected)
        assert (found.raw, found.negative, found.positive) == (raw, 2.0, pytest.approx(1.0))
        assert found.positive_sd == pytest.approx(0.2 / math.sqrt(2))


def test_a_metric_with_an_optimum_scales_by_the_distance_to_it():
    controls = control_set(
        global_mean=[table(collapse__variance_ratio=0.0)],
        technical_duplicate=[table(collapse__variance_ratio=1.2)],
    )
    assert scaled_scores(table(collapse__variance_ratio=1.0), controls)[RATIO].scaled == pytest.approx(1.25)
    assert scaled_scores(table(collapse__variance_ratio=3.0), controls)[RATIO].scaled == pytest.approx(-1.25)


def test_an_inverted_metric_is_not_scaled():
    controls = control_set(
        global_mean=[table(calibrated__mse=1.0)], technical_duplicate=[table(calibrated__mse=1.5)]
    )
    found = scaled_scores(table(calibrated__mse=0.9), controls)[MSE]
    assert (found.scaled, found.reason) == (None, NOT_BRACKETED)


def test_what_is_no_score_or_has_no_anchor_says_why():
    controls = control_set(global_mean=[table(calibrated__mse=1.0)])
    found = scaled_scores(table(calibrated__mse=0.9, calibrated__retrieval_headroom=0.1), controls)
    assert found[MSE].reason == "technical_duplicate has no value"
    assert found["calibrated.retrieval_headroom"].reason == NO_DIRECTION


def test_a_metric_that_scores_no_effect_wrongly_is_refused_by_name():
    broken = control_set(control_only=[table(calibrated__error_ratio=1.0 + 2e-6)])
    with pytest.raises(HarnessError, match="a metric is broken") as refusal:
        check_controls(broken)
    assert refusal.value.where == "calibrated.error_ratio"
    check_controls(control_set(control_only=[table(calibrated__error_ratio=1.0 + 5e-7)]))
