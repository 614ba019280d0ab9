"""Letting a damaged ledger go on: the damage is entered as a line of its own, so that it stays to be seen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from harness.errors import ChangedError, HarnessError
from harness.records.ledger import (
    Look,
    append,
    follow,
    head_path,
    last_entry,
    locked,
    read_head,
)
from harness.records.ledger_entry import START, Entry, read_entry

SHOWN = 400


def mend_ledger(path: Path) -> Entry:
    """Make a ledger one that can be appended to, by a line that says what was torn or lost; whole ones are refused.

    Lines that were edited or moved stay as they are, and stay faults.
    """
    if not path.exists() and not head_path(path).exists():
        raise HarnessError("there is no ledger to mend", where=path)
    with locked(path) as handle:
        try:
            last_entry(path, handle)
        except ChangedError as fault:
            reason = _what_was_wrong(fault)
        else:
            raise HarnessError(
                "the end of the ledger is whole; there is nothing to mend",
                where=path,
                mend="harness ledger verify checks every line; what was edited is never mended",
            )
        whole, _, torn = _whole(handle).rpartition(b"\n")
        if torn:
            reason += f"; taken out: {torn[:SHOWN].decode(errors='replace')!r}, SHA-256 {hashlib.sha256(torn).hexdigest()}"
            os.ftruncate(handle, len(whole) + 1 if whole else 0)
        entry = follow(
            None,
            Look("mended", "", "", "", "", reason),
            number=_next_number(whole),
            previous=_previous(path, whole),
        )
        append(path, handle, entry)
    return entry


def _whole(handle: int) -> bytes:
    """The bytes of a ledger whose lock this process holds."""
    return os.pread(handle, os.fstat(handle).st_size, 0)


def _what_was_wrong(fault: ChangedError) -> str:
    return "; ".join(
        [fault.what, *(f"{label} {text}" for label, text in fault.lines() if label in ("got", "expected"))]
    )


def _next_number(whole: bytes) -> int:
    lines = whole.split(b"\n") if whole else []
    try:
        return read_entry(lines[-1], "").number + 1 if lines else 1
    except ChangedError:
        return len(lines) + 1


def _previous(path: Path, whole: bytes) -> str:
    """The hash that the new line follows: that of the last line, or what the head knew where that one is damaged."""
    if not whole:
        return START
    try:
        return read_entry(whole.rpartition(b"\n")[2], "").hash
    except ChangedError:
        try:
            head = read_head(path)
        except ChangedError:
            head = None
        return head.hash if head else START
