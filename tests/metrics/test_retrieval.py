"""Calibrated retrieval: found by the response, not by the target, the scale or the shared effect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import retrieval
from harness.metrics.card import Undefined, cards
from harness.metrics.inputs import ContextProfiles
from harness.metrics.retrieval import context_values, retrieval_headroom
from harness.metrics.retrieval import retrieval as found_by


def effects(seed, n=6, genes=40):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, genes)) + rng.normal(size=genes)


def profiles(predicted, observed, targets=None, train=None):
    n, genes = observed.shape
    nothing = np.zeros(genes)
    return ContextProfiles(
        tuple(map(str, range(n))), targets or ((),) * n, observed, predicted, nothing, observed, predicted,
        nothing if train is None else train,
    )  # fmt: skip


def test_names_cards_and_values_agree():
    observed = effects(0)
    assert set(context_values(profiles(observed, observed))) == set(retrieval.NAMES)
    assert {f"calibrated.{name}" for name in retrieval.NAMES} <= set(cards())
    assert cards()["calibrated.retrieval"].may_rank


@given(seed=st.integers(0, 999))
def test_the_truth_finds_itself(seed):
    observed = effects(seed)
    assert found_by(observed, observed, observed.mean(axis=0)) == [1.0] * 6


@given(seed=st.integers(0, 999), scale=st.floats(0.01, 100))
def test_scale_about_the_centre_cannot_be_gamed(seed, scale):
    observed, predicted = effects(seed), effects(seed) + effects(seed + 1)
    centre = observed.mean(axis=0)
    scaled = centre + scale * (predicted - centre)
    assert found_by(scaled, observed, centre) == found_by(predicted, observed, centre)


@given(seed=st.integers(0, 999), dtype=st.sampled_from([np.float32, np.float64]))
def test_predicting_the_mean_training_effect_is_chance_however_it_is_rounded(seed, dtype):
    observed = effects(seed)
    centre = effects(seed + 1).mean(axis=0)
    predicted = np.tile(centre, (6, 1)).astype(dtype).astype(float)
    assert found_by(predicted, observed, centre) == [0.5] * 6


@given(seed=st.integers(0, 999))
def test_any_one_effect_for_all_is_chance_on_average(seed):
    collapsed = np.tile(effects(seed + 1)[0], (6, 1))
    values = found_by(collapsed, effects(seed), np.zeros(40))
    assert np.mean(values) == pytest.approx(0.5)


@given(seed=st.integers(0, 999))
def test_the_order_of_perturbations_does_not_matter(seed):
    observed, predicted = effects(seed), effects(seed + 1)
    order = np.random.default_rng(seed).permutation(6)
    values = found_by(predicted, observed, np.zeros(40))
    assert found_by(predicted[order], observed[order], np.zeros(40)) == [values[i] for i in order]


def test_spikes_on_targets_find_nothing():
    """Each perturbation's own target is known beforehand: a submission that spikes it must not gain."""
    rng = np.random.default_rng(3)
    observed = rng.normal(size=(8, 40))
    spikes = np.zeros((8, 40))
    for p in range(8):
        observed[p, p] = spikes[p, p] = -20.0
    targets = tuple((p,) for p in range(8))
    assert np.mean(found_by(spikes, observed, np.zeros(40))) == 1.0
    calibrated = context_values(profiles(spikes, observed, targets))
    assert calibrated["retrieval"] == [0.5] * 8


def test_the_effect_that_all_perturbations_share_finds_nothing():
    rng = np.random.default_rng(4)
    shared = 10 * rng.normal(size=200)
    observed = shared + rng.normal(size=(30, 200))
    predicted = shared + rng.normal(size=(30, 200))
    assert abs(np.mean(found_by(predicted, observed, shared)) - 0.5) < 0.12


def test_headroom_is_what_the_strongest_baseline_leaves():
    observed = effects(5)
    baselines = {"truth": observed, "none": np.zeros_like(observed)}
    found = context_values(profiles(observed, observed), baselines)
    assert found["retrieval_headroom"] == [0.0] * 6
    found = context_values(profiles(observed, observed), {"none": baselines["none"]})
    assert found["retrieval_headroom"] == [0.5] * 6
    assert retrieval_headroom({}) == Undefined(retrieval.NO_BASELINE)


def test_what_cannot_be_told_apart_is_undefined():
    one = np.ones((1, 3))
    assert found_by(one, one, np.zeros(3)) == [Undefined(retrieval.ONE_PERTURBATION)]
    two = effects(6, n=2, genes=3)
    assert found_by(two, two, np.zeros(3), [0, 1, 2]) == [Undefined(retrieval.NO_GENES)] * 2
    two[0] = 0.0
    assert found_by(two, two, np.zeros(3))[0] == Undefined(retrieval.NOTHING_OBSERVED)
