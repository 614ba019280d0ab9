"""Every picture: sound XML, safe labels, the same bytes each time, and a reason where there is nothing to draw."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from harness.reporting import figures
from harness.reporting.figures import ContextCoverage, Difference, Dot

NAN = math.nan
HOSTILE = '<script>alert("x")</script>&\u202eRTL\U0001f600' + "long" * 500
STEPS = [0.0, 1.0, 2.0]


def drawn(label: str = "a"):
    """Every picture, with one label wherever a picture takes one."""
    return {
        "bullet": figures.bullet(label, 0.4, 0.2, 0.7, raw=label),
        "reliability": figures.reliability([0.5, 0.9], {label: [0.4, 0.8]}),
        "risk_coverage": figures.risk_coverage([0.5, 1.0], {label: [0.5, 1.0], "random": 1.0}),
        "coverage": figures.coverage_by_context([ContextCoverage(label, 0.8, 12, 0.3)], promised=0.9),
        "delta_scatter": figures.delta_scatter(
            label, [1.0, -0.5], [0.8, 0.2], genes=[label, "g"], note=label
        ),
        "error_by_novelty": figures.error_by_novelty(
            label,
            [(label, [Dot(0.1, 0.2, label, label), Dot(0.3, 0.1, "b", "seen")])],
            x_label=label,
            y_label=label,
        ),
        "forest": figures.forest(
            label, [Difference(label, 0.1, -0.1, 0.3, label)], worse=label, better=label
        ),
        "heat_map": figures.heat_map(
            label, [label, "b"], [label], [[0.1], [None]], higher_is_better=True, unit=label
        ),
        "learning_curve": figures.learning_curve(label, STEPS, {label: [3.0, 2.0, 1.0]}, best_step=1),
        "rank_histogram": figures.rank_histogram(label, [0.0, 0.4, None]),
        "variance_ratio": figures.variance_ratio(0.9, title=label),
    }


def empty(reason: str):
    """Every picture of nothing."""
    return {
        "bullet": figures.bullet("a", None, reason=reason),
        "reliability": figures.reliability([], {}, reason=reason),
        "risk_coverage": figures.risk_coverage([0.5], {"risk": [None]}, reason=reason),
        "coverage": figures.coverage_by_context([ContextCoverage("a", None, 0)], promised=0.9, reason=reason),
        "delta_scatter": figures.delta_scatter("a", [], [], reason=reason),
        "error_by_novelty": figures.error_by_novelty(
            "a", [("b", [Dot(NAN, 1.0)])], x_label="x", y_label="y", reason=reason
        ),
        "forest": figures.forest(
            "a", [Difference("b", None, None, None)], worse="w", better="b", reason=reason
        ),
        "heat_map": figures.heat_map("a", ["r"], ["c"], [[NAN]], higher_is_better=None, reason=reason),
        "learning_curve": figures.learning_curve("a", STEPS, {"loss": [NAN] * 3}, reason=reason),
        "rank_histogram": figures.rank_histogram("a", [None, NAN], reason=reason),
        "variance_ratio": figures.variance_ratio(NAN, reason=reason),
    }


NAMES = sorted(drawn())


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_sound_xml_with_a_name_and_a_description(name):
    root = ElementTree.fromstring(str(drawn()[name]))
    assert root.get("role") == "img"
    assert [child.tag.partition("}")[2] for child in root][:2] == ["title", "desc"]
    assert all(child.text for child in list(root)[:2])


@pytest.mark.parametrize("name", NAMES)
def test_hostile_labels_stay_text(name):
    text = str(drawn(HOSTILE)[name])
    assert "<script" not in text
    ElementTree.fromstring(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_the_same_bytes_each_time(name):
    assert str(drawn()[name]) == str(drawn()[name])


@pytest.mark.parametrize("name", NAMES)
def test_no_coordinate_is_undefined_and_no_colour_is_fixed(name):
    text = str(drawn()[name])
    assert "nan" not in text.lower().replace("nano", "")
    assert "inf" not in re.sub("information", "", text)
    assert not re.search(r'(fill|stroke)="#', text)


@pytest.mark.parametrize("name", NAMES)
def test_where_there_is_nothing_to_draw_the_reason_stands(name):
    text = str(empty("because of <that>")[name])
    assert "because of &lt;that&gt;" in text
    assert "<svg" not in text
    assert re.search(r"</strong>: \w", str(empty("")[name])), "without a reason it says one of its own"


def _dot(svg: str) -> float:
    return float(re.search(r'<circle cx="([0-9.]+)"', svg)[1])


def test_better_is_further_right_whatever_the_direction():
    from harness.reporting.figures.bullet import scaled_between

    falling = [_dot(str(figures.bullet("m", scaled_between(x, 10, 2)))) for x in (9, 7, 4)]
    rising = [_dot(str(figures.bullet("m", scaled_between(x, 0.1, 0.9)))) for x in (0.2, 0.5, 0.8)]
    assert falling == sorted(falling)
    assert rising == sorted(rising)


def test_a_score_beyond_the_edge_is_an_arrow_and_says_its_number():
    told = str(figures.bullet("m", 3.25, 3, 4))
    assert "<polygon" in told
    assert "3.25" in told


def test_an_interval_may_be_given_in_either_order():
    assert figures.bullet("m", 0.5, 0.2, 0.8) == figures.bullet("m", 0.5, 0.8, 0.2)


def test_the_best_ranks_stand_to_the_right_whatever_their_number():
    low = str(figures.rank_histogram("r", [0.0, 0.0, 0.9], lower_is_better=True))
    high = str(figures.rank_histogram("r", [1.0, 1.0, 0.1], lower_is_better=False))
    assert low == high
    assert "3 conditions; 2 in the best 0.1" in low


def test_series_differ_in_more_than_colour():
    text = str(figures.reliability([0.5, 0.9], {"a": [0.4, 0.8], "b": [0.5, 0.9]}))
    paths = re.findall(r"<path [^>]*>", text)
    assert len({re.search(r'stroke-dasharray="([^"]*)"', one) and one for one in paths}) == 2
    assert "<circle" in text
    assert "<rect" in text
