"""Folders that a user without rights can read: as they are where everybody may, else as a copy made for the run."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

FOLDER, FILE = 0o555, 0o444


def readable_folder(folder: Path, copy: Path) -> Path:
    """The folder, or a copy of it with the right to read for everybody."""
    if readable_by_all(folder):
        return folder
    shutil.copytree(folder, copy, symlinks=True, ignore=_special)
    for root, folders, files in os.walk(copy):
        for name in [".", *folders, *files]:
            path = Path(root, name)
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) | (FOLDER if stat.S_ISDIR(mode) else FILE))
    return copy


def readable_by_all(folder: Path) -> bool:
    """Whether everybody may read everything in a folder."""
    if folder.stat().st_mode & 0o005 != 0o005:
        return False
    for entry in os.scandir(folder):
        told = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(told.st_mode):
            if not readable_by_all(Path(entry.path)):
                return False
        elif stat.S_ISREG(told.st_mode) and not told.st_mode & 0o004:
            return False
    return True


def hand_over(folder: Path, uid: int) -> None:
    """Make a user the owner of a folder and everything in it; links are not followed."""
    os.chown(folder, uid, uid)
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.chown(Path(root, name), uid, uid, follow_symlinks=False)


def _special(folder: str, names: list[str]) -> list[str]:
    """Pipes, sockets and devices, which cannot be copied."""
    modes = {name: Path(folder, name).lstat().st_mode for name in names}
    return [
        n for n, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))
    ]
