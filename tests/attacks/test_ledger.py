"""Attacks on the access ledger: cut, swapped, edited, doubled, torn; many writers; writers that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.errors import ChangedError
from harness.records.ledger import Look, enter, head_path, read_entries
from harness.records.ledger_entry import Entry
from harness.records.ledger_faults import inspect_ledger
from harness.records.ledger_mend import mend_ledger

LOOK = Look("submit", "d:s", "t", "d", "s", "because")
N = 8


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    for _ in range(N):
        enter(path, LOOK)
    return path


def rewrite(ledger, change):
    lines = ledger.read_text().splitlines()
    change(lines)
    ledger.write_text("".join(f"{line}\n" for line in lines))


def named(ledger):
    return [f"{fault.what}, {fault.where}" for fault in inspect_ledger(ledger).faults]


@pytest.mark.parametrize("line", range(1, N + 1))
def test_any_line_that_is_cut_out_is_missed(ledger, line):
    rewrite(ledger, lambda lines: lines.pop(line - 1))
    (fault,) = inspect_ledger(ledger).faults
    if line < N:
        assert f"before line {line}" in str(fault)
        assert fault.expected == f"entry {line}"
    else:
        assert "does not end where it was left" in fault.what
        assert f"entry {N}" in str(fault.expected)


@pytest.mark.parametrize("line", range(1, N))
def test_two_lines_that_changed_places_are_named(ledger, line):
    def swap(lines):
        lines[line - 1], lines[line] = lines[line], lines[line - 1]

    rewrite(ledger, swap)
    found = named(ledger)
    assert f"lines of the ledger changed places, {ledger}, line {line}" in found
    assert f"lines of the ledger changed places, {ledger}, line {line + 1}" in found
    assert not any(
        f"line {other}" in said
        for said in found
        for other in range(1, N + 1)
        if other not in (line, line + 1)
    )


@pytest.mark.parametrize("field", sorted(Entry.model_fields))
def test_an_edited_field_is_named_by_its_line(ledger, field):
    line = random.Random(field).randrange(N)

    def edit(lines):
        entry = json.loads(lines[line])
        entry[field] = (
            99
            if field == "number"
            else "harness"
            if field == "whose"
            else "verify"
            if field == "purpose"
            else "edited"
        )
        lines[line] = json.dumps(entry)

    rewrite(ledger, edit)
    assert f"{ledger}, line {line + 1}" in "\n".join(named(ledger))
    assert any("edited" in said for said in named(ledger))


@pytest.mark.parametrize("line", range(1, N + 1))
def test_an_edited_line_with_a_new_hash_of_its_own_is_found(ledger, line):
    def forge(lines):
        entry = Entry.model_validate_json(lines[line - 1])
        lines[line - 1] = entry.model_copy(update={"reason": "another"}).sealed().line().decode().strip()

    rewrite(ledger, forge)
    (said,) = named(ledger)
    assert said == (
        f"a line of the ledger was replaced, {ledger}, line {line}"
        if line < N
        else f"the ledger does not end where it was left, {ledger}, its end"
    )


def test_one_flipped_bit_anywhere_is_found(ledger):
    content = ledger.read_bytes()
    for seed in range(60):
        at = random.Random(seed).randrange(len(content))
        changed = bytearray(content)
        changed[at] ^= 1 << (seed % 8)
        ledger.write_bytes(changed)
        assert inspect_ledger(ledger).faults, f"bit {seed % 8} of byte {at}"


def test_a_line_that_stands_twice_is_named(ledger):
    rewrite(ledger, lambda lines: lines.insert(3, lines[2]))
    assert f"entry 3 of the ledger stands twice, {ledger}, line 4" in named(ledger)


@pytest.mark.parametrize("kept", [1, 100, -1])
def test_a_torn_end_is_said_refused_and_only_mended_when_asked(ledger, kept):
    whole = ledger.read_bytes()
    line = whole.splitlines(keepends=True)[-1]
    ledger.write_bytes(whole[: -len(line)] + line[:kept])
    torn = ledger.read_bytes()
    head_path(ledger).write_text(json.dumps({"lines": N - 1, "hash": read_entries_of(whole)[N - 2].hash}))
    assert named(ledger) == [f"the last line of the ledger is torn, {ledger}, line {N}"]
    with pytest.raises(ChangedError, match="torn"):
        enter(ledger, LOOK)
    assert ledger.read_bytes() == torn
    entry = mend_ledger(ledger)
    assert "torn" in entry.reason
    assert (entry.number, entry.purpose) == (N, "mended")
    enter(ledger, LOOK)
    assert named(ledger) == []
    assert inspect_ledger(ledger).mended == [entry]


def read_entries_of(content):
    return [Entry.model_validate_json(raw) for raw in content.splitlines()]


def test_lost_last_lines_are_refused_and_mending_leaves_it_to_be_seen(ledger):
    rewrite(ledger, lambda lines: lines.__delitem__(slice(-2, None)))
    with pytest.raises(ChangedError, match="does not end where it was left"):
        enter(ledger, LOOK)
    entry = mend_ledger(ledger)
    assert f"entry {N}" in entry.reason
    assert named(ledger) == []


WRITERS = """
import os, sys
from pathlib import Path
from harness.records.ledger import Look, enter
path, each, writers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
children = []
for name in range(writers):
    child = os.fork()
    if child == 0:
        for i in range(each):
            enter(path, Look("submit", "d:s", "t", "d", "s", f"writer {name}, {i}"))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def write_at_once(path, each, writers):
    subprocess.run([sys.executable, "-c", WRITERS, path, str(each), str(writers)], check=True, timeout=600)


def test_sixteen_writers_at_once_keep_one_chain(tmp_path):
    path, each = tmp_path / "ledger.jsonl", 40
    write_at_once(path, each, 16)
    entries = read_entries(path)
    assert [entry.number for entry in entries] == list(range(1, 16 * each + 1))
    assert inspect_ledger(path).faults == []
    assert {entry.reason for entry in entries} == {f"writer {w}, {i}" for w in range(16) for i in range(each)}


@pytest.mark.long
def test_sixteen_writers_write_ten_thousand_lines(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_at_once(path, 625, 16)
    assert inspect_ledger(path).faults == []
    assert len(read_entries(path)) == 10_000


def test_ten_thousand_lines_are_checked_in_seconds(tmp_path):
    path = tmp_path / "ledger.jsonl"
    entry, lines = enter(path, LOOK), []
    for number in range(2, 10_001):
        entry = entry.model_copy(update={"number": number, "previous": entry.hash}).sealed()
        lines.append(entry.line())
    with path.open("ab") as file:
        file.writelines(lines)
    head_path(path).write_text(json.dumps({"lines": entry.number, "hash": entry.hash}))
    started = time.process_time()
    assert inspect_ledger(path).faults == []
    assert time.process_time() - started < 10
    started = time.process_time()
    enter(path, LOOK)
    assert time.process_time() - started < 0.5  # the length of the ledger does not matter


WRITER = """
import sys
from pathlib import Path
from harness.records.ledger import Look, enter
while True:
    enter(Path(sys.argv[1]), Look("submit", "d:s", "t", "d", "s"))
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_writer_that_is_killed_leaves_a_chain_that_goes_on(tmp_path, seed):
    path = tmp_path / "ledger.jsonl"
    enter(path, LOOK)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path])
    while len(path.read_bytes().splitlines()) < 2:
        assert writer.poll() is None
        time.sleep(0.005)
    time.sleep(random.Random(seed).uniform(0, 0.05))
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert all("torn" in fault.what for fault in inspect_ledger(path).faults)
    if inspect_ledger(path).faults:
        mend_ledger(path)
    enter(path, LOOK)
    assert inspect_ledger(path).faults == []
