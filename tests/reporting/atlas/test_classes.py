"""Conditions sorted by novelty, and how every method did in each class."""

from __future__ import annotations

import numpy as np
import pytest

from harness.reporting.atlas.classes import quarters, tables
from harness.reporting.atlas.page import file_stem, page
from harness.reporting.atlas.sheet import Atlas, Condition, Method
from harness.scoring.seen import SEEN, UNSEEN

HOSTILE = "<script>alert(1)</script>"
CONDITIONS = tuple(
    Condition(
        "C1",
        HOSTILE if at == 0 else f"G{at}",
        "",
        20 + at,
        SEEN if at < 6 else UNSEEN,
        False,
        at / 10,
        1.0 + at,
    )
    for at in range(12)
)
BASELINE = Method("baseline ridge", (), tuple(1.0 for _ in CONDITIONS), 1.0, control=True)
OURS = Method("ours", ("run-1",), tuple(0.5 if at < 6 else 2.0 for at in range(12)), 1.25)


def falling(values):
    """A metric of which less is better."""
    return -np.array([np.nan if one is None else one for one in values])


@pytest.fixture
def atlas():
    found = tables(CONDITIONS, [BASELINE, OURS], falling)
    return Atlas(
        "tiny:context_ood", "val", "0" * 64, "calibrated.wmse", False, BASELINE.name, CONDITIONS,
        (BASELINE, OURS), found, (("old", "it has no pictures.json"),),
    )  # fmt: skip


def test_every_condition_is_in_one_quarter():
    groups = quarters([one.distance for one in CONDITIONS])
    assert sorted(at for _, inside in groups for at in inside) == list(range(12))
    assert len(groups) == 4


def test_equal_values_stay_together_and_unknown_ones_are_left_out():
    groups = quarters([1.0] * 8 + [2.0, None])
    assert [len(inside) for _, inside in groups] in ([8, 1], [9])
    assert quarters([None, None]) == []
    assert quarters([3.0, 3.0]) == [("3", [0, 1])]


def test_a_method_is_better_where_its_error_is_lower(atlas):
    by_seen = next(one for one in atlas.tables if one.axis == "seen")
    assert by_seen.classes == ("seen, new context", "unseen, new context")
    (_, of_baseline), (name, ours) = by_seen.rows
    assert name == "ours"
    assert [cell.better for cell in ours] == [1.0, 0.0]
    assert [cell.mean for cell in ours] == [0.5, 2.0]
    assert [cell.better for cell in of_baseline] == [None, None]


def test_too_few_conditions_give_no_summary():
    (table,) = [one for one in tables(CONDITIONS[:2], [OURS], falling) if one.axis == "seen"]
    cell = table.rows[0][1][0]
    assert (cell.n, cell.mean, cell.better) == (2, None, None)


def test_the_page_is_whole_escaped_and_the_same_each_time(atlas):
    told = page(atlas)
    assert told == page(atlas)
    assert HOSTILE not in told
    assert "&lt;script&gt;alert(1)" in told
    assert "baseline ridge" in told
    assert "it has no pictures.json" in told
    assert len(told) < 250_000


def test_a_file_name_is_tame(atlas):
    assert file_stem(atlas) == "atlas-tiny-context_ood-val"
