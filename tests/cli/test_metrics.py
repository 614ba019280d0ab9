"""`harness metrics`: every number has a card, and the card says when not to trust it."""

from __future__ import annotations

import json

import pytest

from harness.metrics.card import cards
from harness.metrics.registry import HEADLINE, panel_cards, panels


def test_every_metric_of_every_panel_is_listed(run_harness):
    told = json.loads(run_harness("metrics", "list", "--json").stdout)
    named = {f"{card['panel']}.{card['name']}" for card in told}
    assert named == {f"{panel.name}.{metric}" for panel in panels().values() for metric in panel.metrics}
    assert set(HEADLINE) <= named


def test_a_list_can_be_of_one_panel(run_harness):
    told = json.loads(run_harness("metrics", "list", "--panel", "collapse", "--json").stdout)
    assert {card["panel"] for card in told} == {"collapse"}
    assert run_harness("metrics", "list", "--panel", "colapse").returncode == 5


def test_describe_shows_formula_reference_direction_range_needs_and_when_it_misleads(run_harness):
    done = run_harness("metrics", "describe", "pcc_delta")
    assert done.returncode == 0
    for word in ("calibrated.pcc_delta", "scperturbench.pcc_delta_top20", "formula", "corr", "Pearson", "higher",
                 "[-1.0, 1.0]", "needs", "misleads", "may rank"):  # fmt: skip
        assert word in done.stdout


def test_a_full_name_describes_one_card(run_harness):
    (card,) = json.loads(run_harness("metrics", "describe", "calibrated.wmse", "--json").stdout)
    assert card["may rank"] is True
    assert card["better"] == "lower"


def test_an_unknown_metric_is_answered_with_the_nearest(run_harness):
    done = run_harness("metrics", "describe", "pcc_dleta")
    assert done.returncode == 5
    assert "pcc_delta" in done.stderr


@pytest.mark.parametrize("card", panel_cards(), ids=lambda card: f"{card.panel}.{card.name}")
def test_every_card_is_whole(card):
    assert card.description
    assert card.reference
    assert card.needs
    assert card.version
    assert card.range[0] < card.range[1]
    if card.optimum is not None:
        assert card.range[0] <= card.optimum <= card.range[1]


def test_no_card_stands_outside_of_all_panels():
    assert set(cards()) == {f"{card.panel}.{card.name}" for card in panel_cards()}
