"""Folders that a user without rights can read: as they are where everybody may, else as a copy made for the run."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from harness.runtimes.protocol import Job
from harness.runtimes.sandbox.view import stores

FOLDER, FILE = 0o555, 0o444


def readable_job(job: Job, scratch: Path) -> Job:
    """The job with folders that a user without rights can read; copies of what others may not read are in `scratch`.

    The harness's own stores are not copied, where they lie in the folder of the submission.
    """
    left_out = {str(place) for place in (*stores(job), scratch.resolve())}
    return replace(
        job,
        folder=readable_folder(job.folder.resolve(), scratch / "submission", left_out),
        task=readable_folder(job.task.resolve(), scratch / "task"),
    )


def readable_folder(folder: Path, copy: Path, left_out: Collection[str] = ()) -> Path:
    """The folder, or a copy of it with the right to read for everybody."""
    if readable_by_all(folder, left_out):
        return folder

    def ignored(place: str, names: list[str]) -> list[str]:
        return _special(place, names) + [name for name in names if os.path.join(place, name) in left_out]

    shutil.copytree(folder, copy, symlinks=True, ignore=ignored)
    for root, folders, files in os.walk(copy):
        for name in [".", *folders, *files]:
            path = Path(root, name)
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) | (FOLDER if stat.S_ISDIR(mode) else FILE))
    return copy


def readable_by_all(folder: Path, left_out: Collection[str] = ()) -> bool:
    """Whether everybody may read everything in a folder."""
    if folder.stat().st_mode & 0o005 != 0o005:
        return False
    for entry in os.scandir(folder):
        told = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(told.st_mode):
            if entry.path not in left_out and not readable_by_all(Path(entry.path), left_out):
                return False
        elif stat.S_ISREG(told.st_mode) and not told.st_mode & 0o004:
            return False
    return True


def _special(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices, which cannot be copied."""
    modes = {name: Path(folder, name).lstat().st_mode for name in names}
    return [
        n for n, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]
