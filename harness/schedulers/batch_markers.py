"""What is done of a batch: small files that appear whole, and that no scheduler has to be asked about.

`00001.ran.json`       the submission of part 1 has run, its predictions wait to be scored
`00001.finished.json`  part 1 stands in a run folder (or its shard in a folder), whatever its status
`00001.fault.json`     the harness could not do part 1; gone as soon as it is tried again
`00001.again-1.json`   part 1 stood in a run folder, and was to be done once more
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.contract.models import Record
from harness.contract.status import RunStatus
from harness.schedulers.batch import LOCKS, MARKERS, Batch, list_batches
from harness.storage import read_json, write_json

LOOKS, LOOK_S = 10, 0.03
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


def do_again(batch: Batch, statuses: Collection[RunStatus]) -> list[int]:
    """Let the parts whose runs ended with these statuses be done once more; their runs stay where they are."""
    chosen = []
    for number in sorted(marked(batch)["finished"]):
        marker = read_marker(batch, number, "finished")
        if marker is not None and marker.status in statuses:
            place = batch.path / MARKERS
            aside = f"{number:05}.again-{len(set_aside(batch, number)) + 1}.json"
            (place / f"{number:05}.finished.json").rename(place / aside)
            chosen.append(number)
    return chosen


def set_aside(batch: Batch, number: int) -> list[str]:
    """The names of the runs of a part that it was not content with."""
    found = sorted((batch.path / MARKERS).glob(f"{number:05}.again-*.json"))
    markers = [Marker.read(read_json(path, "marker"), where=path) for path in found]
    return [Path(one.path or "").name for one in markers]


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
        yield _taken(handle)
    finally:
        os.close(handle)


def is_held(batch: Batch) -> bool:
    """Whether some process gives out parts of the batch."""
    path = batch.path / LOCKS / "batch"
    return path.exists() and not _is_free(str(path))


def _taken(handle: int) -> bool:
    """Take a lock; who only looks whether it is free holds it for an instant, which is waited for."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK_S)
        else:
            return True
    return False


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
