"""What a comparison could have found."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.statistics.intervals import paired_intervals
from harness.statistics.power import minimum_detectable_difference, non_inferior, underpowered


def test_the_textbook_rule_of_2_point_8_standard_errors() -> None:
    """170 conditions of sd 0.14: about 0.03."""
    assert minimum_detectable_difference(0.14 / math.sqrt(170)) == pytest.approx(0.030, abs=0.0005)


def test_few_units_detect_less() -> None:
    assert minimum_detectable_difference(1.0, 2) > 1.8 * minimum_detectable_difference(1.0)


def test_the_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    contexts = np.repeat(np.arange(10), 5)
    true = minimum_detectable_difference(math.sqrt(1 / 50), 9)
    drawn = true + rng.standard_normal((50, 1000))
    found = paired_intervals(drawn, None, contexts, np.arange(50))
    assert np.mean([one.above for one in found]) == pytest.approx(0.8, abs=0.04)


def test_underpowered_and_non_inferior_are_measured_by_the_span() -> None:
    values = np.random.default_rng(1).normal(0, 0.1, (40, 1))
    (found,) = paired_intervals(values, None, ["a"] * 40, np.arange(40))
    assert underpowered(found, span=0.1)
    assert not underpowered(found, span=1.0)
    assert non_inferior(found, span=2.0)
    assert not non_inferior(found, span=0.01)


@pytest.mark.parametrize("span", [0.0, -1.0, math.nan])
def test_without_a_span_nothing_is_shown(span: float) -> None:
    (found,) = paired_intervals(np.ones((40, 1)), None, ["a"] * 40, np.arange(40))
    assert underpowered(found, span)
    assert not non_inferior(found, span)
