"""What a submission wrote, looked at with care: it may be any number of files, nested to any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.runtimes.protocol import Limits

MOST_ENTRIES = 100_000
"""Files and folders of one output: each costs the disk a place, however small it is, and the harness a look."""
DEEPEST = 32
"""Levels of folders in an output; a tree may be deeper than any path can say."""


def written(folder: Path) -> Iterator[tuple[os.DirEntry[str], int]]:
    """Every file and folder down to the deepest level allowed, with its level, a folder before what is in it.

    Links are not followed; what vanishes meanwhile or cannot be opened is passed over.
    """
    waiting = [(os.fspath(folder), 1)]
    while waiting:
        place, level = waiting.pop()
        try:
            with os.scandir(place) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            yield entry, level
            if level < DEEPEST and entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, level + 1))


def excess(folder: Path, limits: Limits) -> str | None:
    """What of an output is more than a run may leave; looked for no further than to the first."""
    size = 0
    for number, (entry, level) in enumerate(written(folder), 1):
        if number > MOST_ENTRIES:
            return f"its output folder holds more than {MOST_ENTRIES:,} files and folders"
        if level == DEEPEST and entry.is_dir(follow_symlinks=False):
            return f"its output folder is nested deeper than {DEEPEST} levels"
        size += _bytes_on_disk(entry)
        if size > limits.output_bytes:
            held, limit = size / 2**20, limits.output_bytes / 2**20
            return f"its output folder holds {held:.0f} MiB and more, the limit is {limit:.0f} MiB"
    return None


def give_to(folder: Path, uid: int, gid: int) -> None:
    """Make a user the owner of a folder and everything in it; links are not followed."""
    os.chown(folder, uid, gid)
    for entry, _ in written(folder):
        os.chown(entry.path, uid, gid, follow_symlinks=False)


def _bytes_on_disk(entry: os.DirEntry[str]) -> int:
    """Holes are not counted."""
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        return 0
