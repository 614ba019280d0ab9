"""The page of a comparison: every number of it, the better one to the right, nobody's words taken as markup."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.reporting.comparison.page import markdown, page
from harness.reporting.comparison.sheet import Sheet
from harness.scoring.score_table import Scored, ScoreTable
from harness.verdicts.claims_of_runs import Said
from harness.verdicts.compare import compare
from harness.verdicts.intervals import Side

WMSE, MSE = "calibrated.wmse", "calibrated.mse"
HOSTILE = "<b>|pipe|"
CONDITIONS = tuple(Scored(c, f"p{i}", "", "reported", "", 30) for c in ("a", "b", "c") for i in range(6))


def side(name: str, level: float) -> Side:
    values = level + np.random.default_rng(5).normal(0, 0.02, len(CONDITIONS)) * (1 + level)
    mean = float(values.mean())
    return Side(name, (ScoreTable(CONDITIONS, {WMSE: values, MSE: values / 2}, {WMSE: mean, MSE: mean / 2}),))


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    compared = compare([side(HOSTILE, 0.9), side("good", 0.4)], [WMSE, MSE], spans={WMSE: 1.0})
    said = (Said("good", (), "it was scored without controls"),)
    return Sheet("tiny:context_ood", "val", "f" * 64, {"good": ["run-1"]}, compared, said, ("one seed",))


def test_each_number_of_the_comparison_is_on_the_page(sheet):
    told = page(sheet)
    for one in sheet.comparison.metrics:
        for pair in one.pairs:
            assert f'data-value="{pair.interval.estimate}"' in told
            assert f'data-value="{pair.q}"' in told
        for each in one.standings:
            assert f'data-value="{each.value}"' in told


def test_hostile_names_stay_names_in_both_forms(sheet):
    assert HOSTILE not in page(sheet)
    assert "&lt;b&gt;|pipe|" in page(sheet)
    assert HOSTILE not in markdown(sheet)


def test_two_submissions_get_an_overview_in_which_the_better_is_to_the_right(sheet):
    told = page(sheet)
    overview = told[told.index('id="overview"') :].split("</section>")[0]
    assert "good better" in overview
    (zero,) = re.findall(r'<line x1="([0-9.]+)"[^>]*stroke="currentColor"', overview)
    (middle,) = set(re.findall(r"points=\"([0-9.]+),", overview))
    assert float(middle) < float(zero), "the first of the two is the worse one"


def test_pages_are_the_same_each_time_and_say_why_nothing_is_claimed(sheet):
    assert page(sheet) == page(sheet)
    assert markdown(sheet) == markdown(sheet)
    for told in (page(sheet), markdown(sheet)):
        assert "it was scored without controls" in told
        assert "one seed" in told


def test_a_markdown_table_has_as_many_cells_in_each_row(sheet):
    for block in markdown(sheet).split("\n\n"):
        rows = [one for one in block.splitlines() if one.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1
