"""Benjamini–Hochberg, with the family's size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from harness.errors import HarnessError
from harness.statistics.families import benjamini_hochberg

PS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_the_textbook_example() -> None:
    found = benjamini_hochberg([0.01, 0.04, 0.03, 0.5])
    assert found.q == pytest.approx((0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5))
    assert found.size == 4


@given(PS)
def test_adjusted_values_keep_order_and_never_fall(p: list[float]) -> None:
    q = np.array(benjamini_hochberg(p).q)
    assert (q >= np.array(p) - 1e-15).all()
    assert (q <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(q[order]) >= 0).all()


@given(PS)
def test_it_agrees_with_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(p).q == pytest.approx(tuple(false_discovery_control(p)), abs=1e-12)


@pytest.mark.parametrize("p", [[], [0.1, float("nan")], [1.2], [-0.1]])
def test_what_is_no_family_is_refused(p: list[float]) -> None:
    with pytest.raises(HarnessError):
        benjamini_hochberg(p)
