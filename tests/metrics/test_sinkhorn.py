"""Entropic transport: values known in closed form, in the domain of kernels and in that of logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.sinkhorn import transport


def test_equal_costs_are_paid_in_full_and_the_plan_stays_uniform():
    assert transport(np.full((3, 5), 7.0), 0.5).value == pytest.approx(7.0)


def test_a_forced_pairing_pays_its_divergence_from_the_uniform_plan():
    far_apart = np.array([[0.0, 1e4], [1e4, 0.0]])
    assert transport(far_apart, 2.0).value == pytest.approx(2.0 * np.log(2))


def test_a_cell_whose_kernel_underflows_is_still_transported():
    solved = transport(np.array([[0.0, 0.0], [3000.0, 3000.0]]), 1.0)
    assert solved.value == pytest.approx(1500.0)
    assert solved.converged


@pytest.mark.parametrize("spread", [1.0, 900.0])
def test_a_cost_that_everything_has_in_common_is_added_to_the_value(spread):
    cost = np.random.default_rng(2).uniform(0, spread, (6, 9))
    near, far = transport(cost, 1.0), transport(cost + 5000.0, 1.0)
    assert far.iterations == near.iterations
    assert far.value == pytest.approx(near.value + 5000.0, abs=1e-6)
