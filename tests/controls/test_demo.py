"""On the demo task every control lands where its card says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.controls.catalogue import CENTRED_ANCHOR, HALF_ANCHOR, POSITIVE_ANCHOR
from harness.metrics.card import Direction, cards

WMSE, MSE, RATIO = "calibrated.wmse", "calibrated.mse", "calibrated.error_ratio"
CENTRED, RETRIEVAL = "calibrated.pcc_delta_centred", "calibrated.retrieval"
TOLERANCE = 1e-3
"""Cells are told as control + effect in float32."""
OF_NOISE = (
    "calibrated.wmse",
    "calibrated.sinkhorn_divergence",
    "calibrated.deg_jaccard",
    "calibrated.direction_fidelity",
)
"""The two sides share neither cells nor controls: even the truth differs from itself by the noise of a half or a pool."""
OF_SPREAD = ("collapse.norm_ratio", "collapse.variance_ratio", "collapse.variance_ratio_median_gene")
"""The noise of observed effects is taken off below, and the truth as it was observed has it above: more than 1."""
OF_CALIBRATION = (
    "uncertainty.calibration_error", "uncertainty.coverage_50", "uncertainty.coverage_80", "uncertainty.coverage_90",
    "uncertainty.coverage_90_error", "uncertainty.coverage_90_strongest", "uncertainty.coverage_95",
    "uncertainty.pit_ks", "uncertainty.pooled_calibration_error", "uncertainty.aurc_gain",
)  # fmt: skip
"""Ask how often the truth lies in an interval, or how errors are ordered: the truth itself has no errors."""
ELSEWHERE = (*OF_NOISE, *OF_SPREAD, *OF_CALIBRATION)


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


def test_the_oracle_reaches_the_optimum_of_every_metric_that_the_truth_can_reach(demo_controls):
    forms = demo_controls["oracle"].replicates
    short = {}
    for name, card in cards().items():
        if card.direction is Direction.NONE or card.optimum is None or name in ELSEWHERE:
            continue
        values = [table.overall[name] for table in forms.values() if name in table.overall]
        found = [value for value in values if not np.isnan(value)]
        if found and not any(_reached(card, value) for value in found):
            short[name] = found
    assert not short


def test_the_oracle_is_above_the_duplicate_where_noise_is_on_both_sides(demo_controls):
    forms, duplicate = demo_controls["oracle"].replicates.values(), demo_controls[POSITIVE_ANCHOR]
    for name in OF_NOISE:
        card = cards()[name]
        assert any(card.better(form.overall[name], duplicate.overall(name)) for form in forms), name
    for name in OF_SPREAD:
        assert demo_controls["oracle"].replicates["effects"].overall[name] > 1


def test_echo_and_metadata_say_nothing(demo_controls):
    assert abs(demo_controls["control_echo"].numbers["correlation"]) < 0.02
    assert demo_controls["metadata_adversary"].numbers["leaks"] == 0


def test_the_centred_metric_has_no_value_for_the_mean_it_is_centred_on(demo_controls):
    assert np.isfinite(demo_controls[CENTRED_ANCHOR].overall(CENTRED))


def _reached(card, value) -> bool:
    """At the optimum, or beyond it where noise is taken off."""
    if card.direction is Direction.TARGET:
        return abs(value - card.optimum) <= TOLERANCE
    return (
        value >= card.optimum - TOLERANCE
        if card.direction is Direction.HIGHER
        else value <= card.optimum + TOLERANCE
    )
