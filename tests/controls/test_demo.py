"""On the demo task every control lands where its card says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.controls.catalogue import CENTRED_ANCHOR, HALF_ANCHOR, POSITIVE_ANCHOR
from harness.metrics.card import cards

WMSE, MSE, RATIO = "calibrated.wmse", "calibrated.mse", "calibrated.error_ratio"
CENTRED, RETRIEVAL = "calibrated.pcc_delta_centred", "calibrated.retrieval"


def test_no_effect_and_the_mean_find_no_perturbation(demo_controls):
    for name in ("control_only", "global_mean", "context_mean"):
        assert demo_controls[name].overall(RETRIEVAL) == pytest.approx(0.5, abs=1e-6)
    assert demo_controls["control_only"].overall(RATIO) == pytest.approx(1, abs=1e-6)


def test_the_perturbation_mean_is_a_strong_baseline_where_contexts_are_new(demo_controls):
    for name in ("per_perturbation_mean", "nearest_context_mean"):
        assert demo_controls[name].overall(WMSE) < 0.5 * demo_controls["global_mean"].overall(WMSE)
        assert demo_controls[name].overall(RETRIEVAL) > 0.85
    assert demo_controls["nearest_context_mean"].overall(WMSE) < demo_controls[
        "per_perturbation_mean"
    ].overall(WMSE)


def test_scaling_the_sum_mends_what_adding_noise_does(demo_controls):
    assert demo_controls["scaled_additive"].overall(MSE) < demo_controls["additive"].overall(MSE)


def test_noise_around_the_mean_is_worse_than_the_mean(demo_controls):
    noisy, mean = demo_controls["noise_matched"], demo_controls["global_mean"]
    for metric in (MSE, WMSE, RATIO):
        assert noisy.overall(metric) > mean.overall(metric)
    assert abs(noisy.overall(RETRIEVAL) - 0.5) < 0.1


def test_a_replicate_is_better_than_every_baseline_and_its_blend_at_least_as_good(demo_controls):
    duplicate, blended = demo_controls[POSITIVE_ANCHOR], demo_controls["interpolated_duplicate"]
    known = cards()
    for metric in (WMSE, RATIO, CENTRED, RETRIEVAL):
        strongest = demo_controls.strongest(metric)
        assert known[metric].better(duplicate.overall(metric), strongest.overall(metric)), metric
        anchor = demo_controls[HALF_ANCHOR["global_mean"]]
        if metric != CENTRED:
            assert known[metric].better(duplicate.overall(metric), anchor.overall(metric)), metric
    for metric in (MSE, WMSE, RATIO, CENTRED):
        assert known[metric].better(blended.overall(metric), duplicate.overall(metric)), metric


def test_echo_and_metadata_say_nothing(demo_controls):
    assert abs(demo_controls["control_echo"].numbers["correlation"]) < 0.02
    assert demo_controls["metadata_adversary"].numbers["leaks"] == 0


def test_the_centred_metric_has_no_value_for_the_mean_it_is_centred_on(demo_controls):
    assert np.isfinite(demo_controls[CENTRED_ANCHOR].overall(CENTRED))
