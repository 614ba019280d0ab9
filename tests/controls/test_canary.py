"""Canaries and planted markers are silent where nothing was read, and loud where it was."""

from __future__ import annotations

import numpy as np
import pytest

from harness.controls.canary import HELD_BELOW, agreement, canary_score, make_plant, marker_score


def test_honest_predictions_agree_with_canaries_by_chance(score, true_effects):
    honest = true_effects.copy()
    evaluation = score("honest", honest)
    canaries = evaluation.engine.truth.of_kind("canary")
    assert len(canaries)
    honest[canaries] = honest[~np.isin(np.arange(len(honest)), canaries)].mean(axis=0)
    found = canary_score(score("honest-mean", honest).engine)
    assert abs(found.numbers["correlation"]) < 0.3
    assert found.numbers["p"] > HELD_BELOW


def test_who_has_read_sealed_truth_is_found_by_its_canaries(score, true_effects):
    found = canary_score(score("reader", true_effects).engine)
    assert found.numbers["correlation"] == pytest.approx(1, abs=1e-6)
    assert found.numbers["p"] < HELD_BELOW


def test_secrets_that_were_read_are_each_found_among_the_others():
    secret = np.random.default_rng(4).normal(size=(6, 50))
    assert agreement(secret, secret).retrieval == 1
    assert agreement(np.roll(secret, 1, axis=0), secret).retrieval < 0.7
    assert np.isnan(agreement(secret[:1], secret[:1]).retrieval)


def test_half_a_look_is_found_too(score, true_effects):
    rng = np.random.default_rng(0)
    blurred = true_effects + rng.normal(0, true_effects.std() * 1.5, true_effects.shape)
    assert canary_score(score("blurred", blurred).engine).numbers["p"] < HELD_BELOW


def test_no_effect_agrees_with_nothing(score, true_effects):
    found = canary_score(score("nothing", np.zeros_like(true_effects)).engine)
    assert found.numbers["correlation"] == 0
    assert found.numbers["p"] == 1


def test_the_p_of_chance_is_fair():
    rng = np.random.default_rng(1)
    p = [
        agreement(rng.normal(size=(6, 40)) * rng.gamma(1, size=40), rng.normal(size=(6, 40)), seed).p
        for seed in range(120)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.11
    assert abs(np.mean(p) - 0.5) < 0.1


def test_a_planted_marker_is_found_only_in_predictions_that_hold_it():
    rng = np.random.default_rng(2)
    plant = make_plant(20, 100, seed=3)
    assert len(plant.genes) == 64
    honest = rng.normal(0, 0.3, (20, 100)) + rng.normal(0, 1, 100)
    assert marker_score(honest, plant).numbers["p"] > HELD_BELOW
    leaked = marker_score(honest + plant.added(100, 0.1), plant)
    assert leaked.numbers["p"] < HELD_BELOW
    assert leaked.numbers["correlation"] > 0.1


def test_a_plant_touches_its_own_genes_alone():
    plant = make_plant(4, 100, seed=0)
    added = plant.added(100, 0.5)
    assert set(np.abs(added[:, plant.genes]).ravel()) == {0.5}
    assert not np.delete(added, plant.genes, axis=1).any()
