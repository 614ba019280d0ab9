"""What is done of a batch: small files that appear whole, and that no scheduler has to be asked about.

`00001.ran.json`       the submission of part 1 has run, its predictions wait to be scored
`00001.finished.json`  part 1 stands in a run folder (or its shard in a folder), whatever its status
`00001.fault.json`     the harness could not do part 1; gone as soon as it is tried again
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.contract.models import Record
from harness.contract.status import RunStatus
from harness.schedulers.batch import LOCKS, MARKERS, Batch, list_batches
from harness.storage import read_json, write_json

Mark = Literal["ran", "finished", "fault"]


class Marker(Record):
    """One marker."""

    at: str
    """UTC, ISO 8601."""
    host: str
    status: RunStatus | None = None
    """Of the finished run; none for a shard."""
    reason: str = ""
    path: str | None = None
    """The run's or the shard's folder."""


def mark(
    batch: Batch,
    number: int,
    what: Mark,
    *,
    status: RunStatus | None = None,
    reason: str = "",
    path: str | None = None,
) -> None:
    """Write a marker; what is finished is not waiting or faulty any more."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    marker = Marker(at=at, host=socket.gethostname(), status=status, reason=reason, path=path)
    write_json(batch.path / MARKERS / f"{number:05}.{what}.json", marker.document())
    if what == "finished":
        unmark(batch, number, "ran")
    if what != "fault":
        unmark(batch, number, "fault")


def unmark(batch: Batch, number: int, what: Mark) -> None:
    """Take a marker away."""
    (batch.path / MARKERS / f"{number:05}.{what}.json").unlink(missing_ok=True)


def read_marker(batch: Batch, number: int, what: Mark) -> Marker | None:
    """One marker of one part."""
    path = batch.path / MARKERS / f"{number:05}.{what}.json"
    return Marker.read(read_json(path, "marker"), where=path) if path.is_file() else None


def marked(batch: Batch) -> dict[Mark, set[int]]:
    """The numbers of all parts by marker, in one look at the folder."""
    found: dict[Mark, set[int]] = {"ran": set(), "finished": set(), "fault": set()}
    for entry in os.listdir(batch.path / MARKERS):
        number, _, rest = entry.partition(".")
        what = rest.removesuffix(".json")
        for known in found:
            if what == known and number.isdigit():
                found[known].add(int(number))
    return found


def waiting_configurations(runs: Path) -> set[str]:
    """The names of the step results that batches wait to score."""
    return {
        (batch.part(number).config_hash or "")[:16]
        for batch in list_batches(runs)
        for number in marked(batch)["ran"]
    }


@contextmanager
def part_lock(batch: Batch, number: int) -> Iterator[None]:
    """One process at a time works on a part; a second one waits, and finds the part done."""
    handle = os.open(batch.path / LOCKS / f"{number:05}", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def batch_lock(batch: Batch) -> Iterator[bool]:
    """Whether this process is the only one that gives out parts of the batch."""
    handle = os.open(batch.path / LOCKS / "batch", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def working(batch: Batch) -> set[int]:
    """The parts that a living process works on right now, as far as this disk can tell."""
    busy = set()
    for entry in os.listdir(batch.path / LOCKS):
        if entry.isdigit() and not _is_free(str(batch.path / LOCKS / entry)):
            busy.add(int(entry))
    return busy


def _is_free(path: str) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
