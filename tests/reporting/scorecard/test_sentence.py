"""The verdict in words is the right one for each of the ways in which a run can come out."""

from __future__ import annotations

import json
import re

import pytest

from harness.reporting.scorecard.compile import compile_sheet


def test_a_winner_is_better_than_each_control(world):
    said = compile_sheet(world.run(ahead=0.03)).verdict
    assert said.text.startswith("Better than each of 2 trivial controls on calibrated.wmse, by +0.0300 (")
    assert "than nearest_train, the hardest of them" in said.text
    assert re.search(r"better than the best control on 1 of 6 headline metrics with a passport", said.text)
    assert "panels complete" in said.text
    assert "isolation: " in said.text


def test_a_loser_is_worse_and_by_how_much(world):
    said = compile_sheet(world.run(ahead=-0.03)).verdict
    assert said.text.startswith(
        "Worse than the trivial control nearest_train on calibrated.wmse, by −0.0300 ("
    )
    assert said.kind == "bad"
    assert said.remarks[0].startswith("gates not passed: beats controls")


def test_a_tie_that_excludes_a_loss_is_as_good_and_no_better(world):
    said = compile_sheet(world.run(ahead=0.0)).verdict
    assert said.text.startswith(
        "As good as the trivial control nearest_train on calibrated.wmse, and no better"
    )
    assert said.kind == "warn"


def test_a_comparison_that_could_not_have_seen_it_is_underpowered_and_not_equal(world):
    said = compile_sheet(world.run(spread=0.3)).verdict
    assert said.text.startswith("Underpowered on calibrated.wmse: ")
    assert re.search(
        r"only a difference of [\d.]+ could have been seen, and a replicate lies [\d.]+ above", said.text
    )
    assert "As good" not in said.text


def test_an_incomplete_run_ranks_nobody(world):
    parts = world.run(ahead=0.03)
    parts.metrics["missing"].append("celleval.mae")
    reason = "1 metrics have neither value nor reason: celleval.mae"
    said = compile_sheet(world.ended(parts, "incomplete", reason)).verdict
    assert said.text == f"Incomplete: {reason}. It ranks nobody"
    assert said.kind == "bad"


def test_an_invalid_run_says_what_was_refused_and_that_nothing_was_scored(world):
    parts = world.ended(
        world.run(), "invalid", "predictions were refused\n  got: NaN in 3 rows", scored=False
    )
    sheet = compile_sheet(parts)
    assert sheet.verdict.text.startswith("Invalid, the predictions were refused: ")
    assert "NaN in 3 rows" in sheet.verdict.text
    assert sheet.verdict.text.endswith("Nothing was scored")
    assert sheet.headline == ()
    assert sheet.panels == ()


def test_a_run_that_is_too_good_is_held_whatever_it_won(world):
    parts = world.run(ahead=0.03, correlation=0.99)
    assert parts.verdict.held
    said = compile_sheet(world.ended(parts, "held", parts.verdict.reason)).verdict
    assert said.text.startswith(
        "Held, a leak is suspected: not too good: better than a perfect model could be"
    )
    assert said.text.endswith("It ranks nobody")
    assert "Better than" not in said.text


def test_a_filled_variance_is_said_to_be_not_its_own(world):
    sheet = compile_sheet(world.run(ahead=0.03, variance="filled"))
    assert any("filled from the training residuals" in remark for remark in sheet.verdict.remarks)
    assert "variance filled" in [badge.text for badge in sheet.badges]


def test_no_verdict_rests_on_an_uninformative_metric(world):
    sheet = compile_sheet(world.run(ahead=0.03, passport=False))
    assert sheet.verdict.text.startswith(
        "No verdict rests on calibrated.wmse: uninformative here: a replicate goes"
    )
    assert "better than the best control" not in sheet.verdict.text
    assert all(row.group is None for row in sheet.headline)
    assert {row.outcome for row in sheet.headline} <= {"uninformative", "undefined"}


@pytest.mark.parametrize("house", [True, False])
def test_a_submission_of_the_harness_s_own_authors_is_marked(world, house):
    sheet = compile_sheet(world.run(ahead=0.03, house=house))
    assert any("judge and party" in remark for remark in sheet.verdict.remarks) is house
    assert ("by the harness's authors" in [badge.text for badge in sheet.badges]) is house


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("declined", "Declined, the task is outside what the submission claims to do: no doses"),
        ("failed", "Failed, the submission ended with an error: no doses"),
        ("timeout", "Timeout, the time limit was reached: no doses"),
        ("out_of_memory", "Out of memory, the memory limit was reached: no doses"),
        ("environment", "Environment, image, package, scheduler or disk: not the model's fault: no doses"),
    ],
)
def test_a_run_that_was_not_scored_says_how_it_ended(world, status, word):
    said = compile_sheet(world.ended(world.run(), status, "no doses", scored=False)).verdict
    assert said.text == f"{word}. Nothing was scored"


def test_a_quick_look_claims_nothing(world):
    sheet = compile_sheet(world.real)
    assert sheet.verdict.text.startswith("A quick look: it was scored without controls")
    assert sheet.claims == ()
    assert sheet.claims_reason


def test_one_seed_claims_nothing_and_each_claim_says_what_it_lacks(world):
    sheet = compile_sheet(world.run(ahead=0.03))
    assert sheet.claims
    for claim in sheet.claims:
        assert not claim.shown
        assert "1 training seed, 3 are needed" in claim.text


def test_a_reason_of_ten_kilobytes_does_not_fill_the_sentence(world, hostile):
    said = compile_sheet(world.ended(world.run(), "failed", hostile, scored=False)).verdict
    assert len(said.text) < 800


def test_the_sheet_is_json_without_nan(world):
    text = json.dumps(compile_sheet(world.run(ahead=0.03)).document(), allow_nan=False)
    assert json.loads(text)["headline"][0]["key"] == "calibrated.wmse"
