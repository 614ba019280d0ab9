"""What is wrong with a ledger: every line that was cut, moved, edited or torn, by its place; and runs without a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harness.errors import ChangedError
from harness.records.ledger import read_head, read_whole
from harness.records.ledger_entry import START, Entry, place, read_entry
from harness.records.run_folder import METRICS_FILE, RunFolder


@dataclass(frozen=True)
class LedgerState:
    """A ledger as it was found."""

    entries: list[Entry]
    """The lines that are whole and as they were written."""
    faults: list[ChangedError]

    @property
    def mended(self) -> list[Entry]:
        """The lines that say what was once mended."""
        return [entry for entry in self.entries if entry.purpose == "mended"]


def inspect_ledger(path: Path) -> LedgerState:
    """Read a ledger and check its whole chain and its end."""
    content = read_whole(path)
    faults: list[ChangedError] = []
    whole, _, torn = content.rpartition(b"\n")
    found: list[Entry | None] = []
    for number, raw in enumerate(whole.split(b"\n") if whole else (), 1):
        try:
            found.append(read_entry(raw, place(path, number)))
        except ChangedError as fault:
            faults.append(fault)
            found.append(None)
    faults += _chain_faults(path, found)
    if torn:
        faults.append(
            ChangedError(
                "the last line of the ledger is torn",
                where=place(path, len(found) + 1),
                got=f"{len(torn)} bytes without an end",
                expected="a whole line; a process was killed while it wrote, before it opened any truth",
                mend="harness ledger mend",
            )
        )
    faults += _end_faults(path, found)
    return LedgerState([entry for entry in found if entry is not None], faults)


def unaccounted_runs(state: LedgerState, runs: Iterable[RunFolder], ledger: Path) -> Iterator[ChangedError]:
    """Runs that saw test truth and have no line, or another one than their record says."""
    lines = {entry.hash for entry in state.entries}
    for run in runs:
        record = run.record
        if record.task.eval_split != "test" or METRICS_FILE not in record.files:
            continue
        if record.look is None or record.look.hash not in lines:
            yield ChangedError(
                "the ledger has no line for a run that was scored on test",
                where=run.path,
                got="a record without a line" if record.look is None else f"no line {record.look.hash[:12]}",
                expected=f"a line of {ledger}",
                mend="was the ledger moved, cut, or begun anew? harness.toml says where it is",
            )


def _chain_faults(path: Path, found: list[Entry | None]) -> Iterator[ChangedError]:
    """Lines that are whole, but not where they were written, not followed by what followed them, or missing."""
    numbers = _numbers(found)
    lines: dict[int, tuple[int, Entry]] = {}
    for line, entry in enumerate(found, 1):
        if entry is not None and lines.setdefault(entry.number, (line, entry))[0] != line:
            yield ChangedError(f"entry {entry.number} of the ledger stands twice", where=place(path, line))
    for line, (number, sorted_number) in enumerate(zip(numbers, sorted(numbers), strict=True), 1):
        if number != sorted_number:
            yield ChangedError(
                "lines of the ledger changed places",
                where=place(path, line),
                got=f"entry {number}",
                expected=f"entry {sorted_number}",
            )
    for first, last in _gaps(sorted(numbers)):
        yield ChangedError(
            "lines are cut out of the ledger",
            where=f"{path}, {_where_cut(numbers, last)}",
            got="nothing",
            expected=f"entry {first}" if first == last else f"entries {first} to {last}",
        )
    for number, (line, entry) in sorted(lines.items()):
        before = lines.get(number - 1)
        if number == 1 and entry.previous != START:
            yield _replaced(path, line, entry, "the beginning of another ledger")
        elif before is not None and entry.previous != before[1].hash:
            yield _replaced(path, before[0], entry, f"a line that hashes to {before[1].hash[:12]}")


def _numbers(found: list[Entry | None]) -> list[int]:
    """The number of every line; a line that cannot be read has that of its place, where no other line has it."""
    present = {entry.number for entry in found if entry is not None}
    numbers: list[int] = []
    for entry in found:
        after = numbers[-1] + 1 if numbers else 1
        numbers.append(after - (after in present) if entry is None else entry.number)
    return numbers


def _gaps(numbers: list[int]) -> Iterator[tuple[int, int]]:
    for before, number in pairwise([0, *numbers]):
        if number > before + 1:
            yield before + 1, number - 1


def _where_cut(numbers: list[int], last: int) -> str:
    return f"before line {numbers.index(last + 1) + 1}"


def _replaced(path: Path, line: int, after: Entry, got: str) -> ChangedError:
    return ChangedError(
        "a line of the ledger was replaced",
        where=place(path, line),
        got=got,
        expected=f"the line {after.previous[:12]} that entry {after.number} was written after",
    )


def _end_faults(path: Path, found: list[Entry | None]) -> Iterator[ChangedError]:
    try:
        head = read_head(path)
    except ChangedError as fault:
        yield fault
        return
    lines, known = (head.lines, head.hash) if head else (0, START)
    last = found[-1] if found else None
    if found and last is None:
        return  # named already
    if last is None and lines == 0:
        return
    if last is None or (lines, known) not in ((last.number, last.hash), (last.number - 1, last.previous)):
        yield ChangedError(
            "the ledger does not end where it was left",
            where=f"{path}, its end",
            got="no line" if last is None else f"entry {last.number}, {last.hash[:12]}, as the last",
            expected=f"entry {lines}, {known[:12]}, or the one after it"
            if head
            else "a ledger.head beside it",
            mend="bring the missing lines back; harness ledger mend enters that they are lost and lets work go on",
        )
