"""The test of knowing a secret keeps its level and sees what it is for."""

from __future__ import annotations

import numpy as np

from harness.verdicts.randomisation import sign_symmetry


def test_predictions_that_know_nothing_are_rarely_suspected() -> None:
    rng = np.random.default_rng(2)
    low = 0
    for trial in range(60):
        secret = rng.standard_normal((5, 40))
        shared = np.tile(rng.standard_normal(40), (5, 1))
        low += sign_symmetry(shared, secret, name=str(trial)).p < 0.05
    assert low <= 9  # 3 expected; 9 has probability 0.002


def test_a_faint_copy_of_the_secret_is_found_whatever_its_scale() -> None:
    rng = np.random.default_rng(3)
    secret = rng.standard_normal((5, 250))
    predicted = 1e-4 * (rng.standard_normal((5, 250)) + 0.3 * secret)
    found = sign_symmetry(predicted, secret, name="copy")
    assert found.p < 1e-3
    assert found.statistic > 4


def test_a_secret_turned_round_is_found_too() -> None:
    secret = np.random.default_rng(4).standard_normal((5, 64))
    assert sign_symmetry(-secret, secret, name="turned").p < 1e-3


def test_no_effect_proves_nothing() -> None:
    assert sign_symmetry(np.zeros((5, 64)), np.ones((5, 64)), name="zero").p == 1.0
