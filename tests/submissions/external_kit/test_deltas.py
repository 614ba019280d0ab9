"""Three ways from expression to delta."""

from __future__ import annotations

import numpy as np
from external_kit import log_normalised, raw_delta, reconstruction_delta


def test_the_plain_difference_keeps_what_a_model_cannot_reconstruct_and_the_other_leaves_it_out():
    control, effect, bias = np.zeros((2, 3)), np.ones((2, 3)), 0.5
    generated, reconstructed = control + effect + bias, control + bias
    assert np.allclose(raw_delta(generated, control), 1.5)
    assert np.allclose(reconstruction_delta(generated, reconstructed), 1.0)


def test_expected_counts_are_compared_on_the_scale_of_expression():
    rates = np.array([[1.0, 3.0], [10.0, 30.0], [0.0, 0.0]])
    scaled = log_normalised(rates)
    assert np.allclose(scaled[0], scaled[1])  # depth does not matter
    assert np.allclose(np.expm1(scaled[:2]).sum(axis=1), 1e4, rtol=1e-5)
    assert (scaled[2] == 0).all()
