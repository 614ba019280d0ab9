"""The access ledger: what a line says, how many looks it counts, and what is refused."""

from __future__ import annotations

import json

import pytest

from harness.errors import ChangedError, HarnessError
from harness.records.ledger import Look, check_end, enter, head_path, read_entries, reference
from harness.records.ledger_faults import inspect_ledger
from harness.records.ledger_mend import mend_ledger
from harness.records.record import SubmissionCard


def card(name="ridge", content="c1"):
    return SubmissionCard(name=name, version="1", title="t", variant=None, content_hash=content)


def look(purpose="submit", *, split="s1", submission=None, reason=""):
    return Look(purpose, "d:s", "t", "d", split, reason, submission or card(), "cfg", "pred")


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "ledger.jsonl"


def test_a_line_says_when_what_why_by_whom_and_follows_the_line_before(ledger):
    first, second = enter(ledger, look(reason="paper table 2")), enter(ledger, look("control"))
    told = json.loads(ledger.read_text().splitlines()[0])
    assert told["reason"] == "paper table 2"
    assert (told["purpose"], told["whose"], told["submission"]) == ("submit", "submission", "ridge")
    assert (told["split_hash"], told["config_hash"], told["predictions_sha256"]) == ("s1", "cfg", "pred")
    assert told["command"]
    assert second.previous == first.hash == told["hash"]
    assert second.whose == "harness"
    assert inspect_ledger(ledger).faults == []


def test_looks_are_counted_by_family_and_split_and_the_harness_s_own_are_none(ledger):
    enter(ledger, look())
    enter(ledger, look("control"))
    enter(ledger, look(split="s2"))
    enter(ledger, look(submission=card("other", "c9")))
    renamed = reference(ledger, enter(ledger, look(submission=card("renamed", "c1"))))
    assert (renamed.family_looks, renamed.split_looks) == (2, 3)
    changed = reference(ledger, enter(ledger, look("rescore", submission=card("ridge", "c2"))))
    assert (changed.family_looks, changed.split_looks) == (2, 4)


def test_a_command_of_any_length_stays_one_line(ledger, monkeypatch):
    monkeypatch.setattr("sys.argv", ["harness", "submit", "x\ny" * 100_000])
    enter(ledger, look(reason="a\nb"))
    enter(ledger, look())
    assert [entry.number for entry in read_entries(ledger)] == [1, 2]


def test_a_head_that_is_one_line_behind_is_what_a_killed_writer_leaves(ledger):
    enter(ledger, look())
    head = head_path(ledger).read_bytes()
    enter(ledger, look())
    head_path(ledger).write_bytes(head)
    assert inspect_ledger(ledger).faults == []
    enter(ledger, look())
    assert inspect_ledger(ledger).faults == []


def test_a_ledger_without_its_head_is_refused(ledger):
    enter(ledger, look())
    enter(ledger, look())
    head_path(ledger).unlink()
    assert len(inspect_ledger(ledger).faults) == 1
    with pytest.raises(ChangedError, match="does not end where it was left"):
        enter(ledger, look())


def test_a_ledger_that_was_removed_is_missed(ledger):
    enter(ledger, look())
    ledger.unlink()
    with pytest.raises(ChangedError, match="does not end where it was left"):
        check_end(ledger)
    assert not ledger.exists()
    assert len(inspect_ledger(ledger).faults) == 1


def test_a_whole_ledger_is_not_mended(ledger):
    with pytest.raises(HarnessError, match="no ledger"):
        mend_ledger(ledger)
    enter(ledger, look())
    before = ledger.read_bytes()
    with pytest.raises(HarnessError, match="nothing to mend"):
        mend_ledger(ledger)
    assert ledger.read_bytes() == before


def test_mending_an_edited_last_line_lets_work_go_on_and_keeps_the_fault(ledger):
    for _ in range(3):
        enter(ledger, look(reason="why"))
    ledger.write_text(
        "\n".join(
            [*ledger.read_text().splitlines()[:2], ledger.read_text().splitlines()[2].replace("why", "not")]
        )
        + "\n"
    )
    with pytest.raises(ChangedError, match="edited"):
        enter(ledger, look())
    mend_ledger(ledger)
    enter(ledger, look())
    state = inspect_ledger(ledger)
    assert ["line 3" in str(fault) and "edited" in str(fault) for fault in state.faults] == [True]
    assert [entry.number for entry in state.mended] == [4]
