"""Every control of a task lands where it must."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from harness.contract.manifest import load_manifest
from harness.controls.analytic import NO_EFFECT, ORACLE_EFFECTS
from harness.controls.baselines import baselines_folder
from harness.controls.catalogue import BASELINES, CONTROLS, REPLICATES
from harness.controls.task_controls import controls_cost, task_controls
from harness.errors import ChangedError

OF_THE_TASK = [name for name, card in CONTROLS.items() if card.kind not in ("submission", "check")]


def test_every_card_says_what_it_is_and_where_it_must_land():
    for name, card in CONTROLS.items():
        assert card.name == name
        assert card.description
        assert card.expected


def test_every_baseline_control_is_the_shipped_submission_of_that_name():
    for name in BASELINES:
        assert load_manifest(baselines_folder() / name).name == name.replace("_", "-")


def test_an_installed_harness_has_the_baselines_too():
    told = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "harness.baselines" in told["packages"]
    assert (Path(__file__).parents[2] / told["package-dir"]["harness.baselines"]).samefile(baselines_folder())
    assert {"*/*.py", "*/*.toml"} <= set(told["package-data"]["harness.baselines"])


def test_every_control_of_a_task_has_scores(controls):
    assert set(controls.scores) == {*OF_THE_TASK, "control_echo", "metadata_adversary"}
    for name in OF_THE_TASK:
        assert controls[name].tables, (name, controls[name].reason)
        assert controls[name].tables[0].of_kind().conditions


def test_duplicates_have_five_halvings_with_a_spread(controls):
    for name in ("technical_duplicate", "interpolated_duplicate"):
        assert len(controls[name].tables) == REPLICATES
        assert controls[name].sd("calibrated.pcc_delta_centred") > 0


@pytest.mark.parametrize(("metric", "expected"), NO_EFFECT.items())
def test_no_effect_scores_what_is_known_without_computing_it(controls, metric, expected):
    assert controls["control_only"].overall(metric) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "expected"), ORACLE_EFFECTS.items())
def test_the_truth_as_effects_reaches_the_optimum(controls, metric, expected):
    assert controls["oracle"].replicates["effects"].overall[metric] == pytest.approx(expected, abs=1e-6)


def test_error_beyond_noise_of_the_truth_itself_is_beyond_its_optimum(controls):
    """The noise of the observed effect is taken off, and the truth as it was observed has none of it."""
    assert controls["oracle"].replicates["effects"].overall["calibrated.error_ratio"] < 0


def test_noise_around_the_mean_is_worse_than_the_mean(controls):
    for metric in ("calibrated.mse", "calibrated.error_ratio"):
        assert controls["noise_matched"].overall(metric) > controls["global_mean"].overall(metric)
    centred = "calibrated.pcc_delta_centred"
    assert controls["noise_matched"].overall(centred) < controls["per_perturbation_mean"].overall(centred)


def test_a_replicate_knows_its_perturbation_and_the_mean_does_not(controls):
    known, mean = controls["technical_duplicate"], controls["halved_mean"]
    assert known.overall("calibrated.retrieval") > 0.8
    assert mean.overall("calibrated.retrieval") == pytest.approx(0.5)
    assert known.overall("calibrated.wmse") < mean.overall("calibrated.wmse")
    assert known.overall("calibrated.error_ratio") < mean.overall("calibrated.error_ratio")


def test_a_blend_with_the_mean_has_less_error_than_the_replicate(controls):
    blended, plain = controls["interpolated_duplicate"], controls["technical_duplicate"]
    assert blended.overall("calibrated.mse") < plain.overall("calibrated.mse")


def test_the_anchors_of_halves_are_scored_against_the_truth_of_the_duplicates(controls):
    for half, one in zip(
        controls["halved_nothing"].tables, controls["technical_duplicate"].tables, strict=True
    ):
        assert half.conditions == one.conditions
        assert half.overall["calibrated.error_ratio"] == pytest.approx(1)


def test_echo_and_metadata_say_nothing_on_a_sound_task(controls):
    echo, metadata = controls["control_echo"], controls["metadata_adversary"]
    assert echo.numbers["refused"] == 0
    assert metadata.numbers["leaks"] == 0
    assert {"number.gain", "size.gain", "batch.gain", "order.gain", "all.p"} <= set(metadata.numbers)


def test_a_second_call_reads_what_the_first_has_made(bench, controls):
    assert not controls_cost(bench.task).missing
    started = time.process_time()
    again = task_controls(bench.dataset, bench.split, bench.task)
    assert time.process_time() - started < 5
    for name in OF_THE_TASK:
        for one, other in zip(again[name].tables, controls[name].tables, strict=True):
            assert one.conditions == other.conditions
            assert all(one.values[m].tobytes() == other.values[m].tobytes() for m in one.values)


def test_one_process_makes_the_bits_that_two_make(bench, controls):
    from harness.controls.pieces import make_piece

    for name, control in (("halving_2", "technical_duplicate"), ("global_mean", "global_mean")):
        place = 1 if name == "halving_2" else 0
        alone, kept = make_piece(name, bench).tables[control], controls[control].tables[place]
        assert all(alone.values[m].tobytes() == kept.values[m].tobytes() for m in kept.values)


def test_a_kept_control_that_changed_is_refused(bench, controls):
    from harness.controls.pieces import piece_path

    path = piece_path("oracle_effects", bench.task.sealed.parent)
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ChangedError):
            task_controls(bench.dataset, bench.split, bench.task)
    finally:
        path.write_bytes(content)


def test_the_strongest_negative_control_is_named(controls):
    best = controls.strongest("calibrated.wmse")
    values = [one.overall("calibrated.wmse") for one in controls.of_kind("negative")]
    assert best.overall("calibrated.wmse") == np.min(values)
    assert controls.strongest("calibrated.retrieval_headroom") is None
