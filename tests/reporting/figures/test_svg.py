"""Scales, round numbers and elements that pictures are made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.figures.axes import legend_rows
from harness.reporting.figures.error_by_novelty import MOST, Dot, medians, thinned
from harness.reporting.figures.heat_map import shade
from harness.reporting.figures.rank_histogram import counted
from harness.reporting.figures.svg import Scale, element, scale_over, short, text, ticks

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_a_scale_holds_all_its_numbers_and_keeps_their_order(numbers):
    scale = scale_over(numbers, 40, 300)
    places = [scale(one) for one in sorted(numbers)]
    assert places == sorted(places)
    assert all(40 <= one <= 300 for one in places)


@given(NUMBERS, st.floats(1e-3, 1e6))
def test_ticks_are_few_ascending_and_inside(low, width):
    found = ticks(low, low + width)
    assert found == sorted(set(found))
    assert len(found) <= 11
    assert all(low - width * 1e-6 <= one <= low + width * 1.000001 for one in found)


def test_a_number_alone_stands_in_the_middle():
    assert scale_over([5.0], 0, 100)(5.0) == pytest.approx(50)
    assert Scale(2, 2, 0, 100)(2) == 50


def test_text_is_escaped_and_cut_with_the_whole_in_a_tooltip():
    told = str(text("<b>" + "x" * 50, 0, 0, cut=10))
    assert "<b>" not in told
    assert told.count("x" * 50) == 1
    assert 'a="&#34;&gt;"' in str(element("g", a='">'))


@pytest.mark.parametrize(
    ("number", "said"), [(0.0, "0"), (-0.25, "−0.25"), (1234.0, "1234"), (1e-7, "1e−07"), (None, "–")]
)
def test_labels_are_short(number, said):
    assert short(number) == said


def test_shades_rise_with_merit():
    ordered = [1.0, 2.0, 4.0]
    assert [shade(one, ordered, True) for one in ordered] == [0, 0.5, 1]
    assert [shade(one, ordered, False) for one in ordered] == [1, 0.5, 0]


def test_every_merit_is_counted_once():
    assert counted([0.0, 0.1, 0.55, 1.0], 10) == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_of_many_conditions_a_part_is_drawn_and_all_count():
    dots = [Dot(one / 1000, one / 1000) for one in range(1000)]
    assert len(thinned(dots)) <= MOST
    assert [round(x, 2) for x, _ in medians(dots)] == [0.1, 0.3, 0.5, 0.7, 0.9]


def test_a_legend_breaks_where_the_picture_ends():
    assert legend_rows(["a", "b"]) == 1
    assert legend_rows(["a" * 30, "b" * 30]) == 2
    assert legend_rows([]) == 0
