"""The access ledger: one chained line for each opening of test truth, written and on the disk before truth is opened.

Beside `ledger.jsonl` stands `ledger.head`, which says how many lines there are and how the last one hashes: a chain alone
does not notice that its end is missing. The head is written after its line, so it may be one line behind, never ahead.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.contract.models import Record
from harness.errors import ChangedError, HarnessError
from harness.records.ledger_entry import OWN, START, Entry, LookReference, Purpose, place, read_entry
from harness.records.record import SubmissionCard
from harness.settings import LEDGER_FILE
from harness.storage import canonical_json, make_folder, naming, read_json, write_bytes
from harness.tasks.folder import Task

MOST_TEXT = 2000
"""Characters of a command or a reason that are kept."""
LINE_BYTES = 1 << 16
"""More than the longest line."""
MEND = "harness ledger verify says what is wrong; harness ledger mend enters it and lets work go on"


class LedgerHead(Record):
    """`ledger.head`: where the ledger ended when it was last written."""

    lines: int
    hash: str


@dataclass(frozen=True)
class Look:
    """What one line says beside its place in the chain."""

    purpose: Purpose
    task: str
    task_hash: str
    data_hash: str
    split_hash: str
    reason: str = ""
    submission: SubmissionCard | None = None
    config_hash: str | None = None
    predictions_sha256: str | None = None
    setting_hash: str | None = None


def beside(runs: Path) -> Path:
    """The ledger of a runs folder, where no setting moves it."""
    return runs.absolute().parent / LEDGER_FILE


def enter_look(
    ledger: Path,
    task: Task,
    purpose: Purpose,
    *,
    reason: str = "",
    submission: SubmissionCard | None = None,
    config_hash: str | None = None,
    predictions_sha256: str | None = None,
    setting_hash: str | None = None,
) -> LookReference | None:
    """Enter that a task's truth is about to be opened; None where it is the truth of a validation task, which is free."""
    card = task.card
    if card.eval_split != "test":
        return None
    look = Look(
        purpose, card.name, task.hash, card.dataset.hash, card.split.hash, reason, submission, config_hash,
        predictions_sha256, setting_hash,
    )  # fmt: skip
    entry = enter(ledger, look)
    return reference(ledger, entry)


def enter(path: Path, look: Look) -> Entry:
    """Append a line and wait for the disk. A ledger whose end is not as it was left is refused, never repaired."""
    with locked(path) as handle:
        last = last_entry(path, handle)
        entry = follow(last, look)
        append(path, handle, entry)
    return entry


def follow(
    last: Entry | None, look: Look, *, number: int | None = None, previous: str | None = None
) -> Entry:
    """The line after another."""
    number = number or (1 if last is None else last.number + 1)
    card = look.submission
    return Entry(
        number=number,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        purpose=look.purpose,
        whose="harness" if look.purpose in OWN else "submission",
        command=_text(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])),
        reason=_text(look.reason),
        task=look.task,
        task_hash=look.task_hash,
        data_hash=look.data_hash,
        split_hash=look.split_hash,
        submission=None if card is None else card.name,
        content_hash=None if card is None else card.content_hash,
        setting_hash=look.setting_hash,
        config_hash=look.config_hash,
        predictions_sha256=look.predictions_sha256,
        previous=previous or (START if last is None else last.hash),
    ).sealed()


def append(path: Path, handle: int, entry: Entry) -> None:
    """Write a line at the end of a locked ledger, then its head; what a full disk left of it is taken back."""
    raw = entry.line()
    size = os.fstat(handle).st_size
    with naming(path):
        try:
            written = os.write(handle, raw)
            if written < len(raw):
                os.write(handle, raw[written:])
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    if size == 0:
        _sync_folder(path.parent)
    write_head(path, LedgerHead(lines=entry.number, hash=entry.hash))


def check_end(path: Path) -> None:
    """Refuse a ledger that cannot be appended to, before anything costly is done."""
    if path.exists():
        with locked(path) as handle:
            last_entry(path, handle)
    elif (head := read_head(path)) is not None:
        raise _lost(path, head, "no such file")


def last_entry(path: Path, handle: int) -> Entry | None:
    """The last line of a locked ledger, which has to be whole and the one that its head names."""
    size = os.fstat(handle).st_size
    head = read_head(path)
    tail = os.pread(handle, LINE_BYTES, max(0, size - LINE_BYTES))
    if not tail:
        if head is not None:
            raise _lost(path, head, "no line at all")
        return None
    if not tail.endswith(b"\n"):
        torn = tail.rpartition(b"\n")[2]
        raise ChangedError(
            "the last line of the ledger is torn",
            where=path,
            got=f"{len(torn)} bytes without an end: {torn[:60].decode(errors='replace')!r}",
            expected="a whole line; a process was killed while it wrote, before it opened any truth",
            mend=MEND,
        )
    try:
        entry = read_entry(tail[:-1].rpartition(b"\n")[2], f"{path}, last line")
    except ChangedError as fault:
        fault.mend = MEND
        raise
    known = (head.lines, head.hash) if head else (0, START)
    if known not in ((entry.number, entry.hash), (entry.number - 1, entry.previous)):
        raise _lost(path, head, f"entry {entry.number}, {entry.hash[:12]}")
    return entry


def read_entries(path: Path) -> list[Entry]:
    """Every entry of a ledger, oldest first; the first line that is none is refused. Without a file there are none."""
    return [read_entry(raw, place(path, number)) for number, raw in enumerate(read_lines(path), 1)]


def read_lines(path: Path) -> Sequence[bytes]:
    """The lines of a ledger as they stand there; a torn last one counts."""
    content = read_whole(path)
    return content.removesuffix(b"\n").split(b"\n") if content else ()


def read_whole(path: Path) -> bytes:
    """The bytes of a ledger, between two lines of those who write; nothing where there is no file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    with os.fdopen(handle, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return file.read()


def reference(path: Path, entry: Entry) -> LookReference:
    """What a record keeps of its line."""
    family = others = 0
    for raw in read_lines(path)[: entry.number]:
        try:
            told = json.loads(raw)
            if (told["whose"], told["split_hash"]) != ("submission", entry.split_hash):
                continue
        except (ValueError, TypeError, KeyError):
            continue  # a damaged line is named by `harness ledger verify`
        others += 1
        family += _same_family(told.get("submission"), told.get("content_hash"), entry)
    return LookReference(number=entry.number, hash=entry.hash, family_looks=family, split_looks=others)


def read_head(path: Path) -> LedgerHead | None:
    """The head of a ledger; None where it has none yet."""
    head = head_path(path)
    if not head.exists():
        return None
    try:
        return LedgerHead.read(read_json(head, "ledger head"), where=head)
    except HarnessError as refusal:
        raise ChangedError(
            "the head of the ledger is damaged", where=head, got=refusal.got, mend=MEND
        ) from None


def write_head(path: Path, head: LedgerHead) -> None:
    """Replace the head in one step; the line itself is already on the disk."""
    write_bytes(head_path(path), (canonical_json(head.document()) + "\n").encode(), durable=False)


def head_path(path: Path) -> Path:
    """Where the head of a ledger is."""
    return path.with_suffix(".head")


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """An open ledger that nobody else writes to until the block ends."""
    make_folder(path.parent)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _same_family(name: str | None, content: str | None, entry: Entry) -> bool:
    """A renamed submission is the same family while its files are, a changed one while its name is."""
    if entry.submission is None:
        return name is None
    return name == entry.submission or (content is not None and content == entry.content_hash)


def _lost(path: Path, head: LedgerHead | None, found: str) -> ChangedError:
    return ChangedError(
        "the ledger does not end where it was left",
        where=path,
        got=found,
        expected=f"entry {head.lines}, {head.hash[:12]}, or the one after it"
        if head
        else "one entry at most",
        mend=MEND,
    )


def _text(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MOST_TEXT else plain[:MOST_TEXT] + "…"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
