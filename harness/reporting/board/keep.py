"""Records to be kept with the code: of each run what the board reads, without predictions, models and long tables."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.records.run_folder import RECORD_FILE, SEAL_FILE
from harness.records.seal import SIGNATURE_FILE, read_seal
from harness.reporting.board.entry import NEEDED, SCORECARD, Entry
from harness.storage import new_folder, remove_tree

ALWAYS = (RECORD_FILE, SEAL_FILE, SIGNATURE_FILE, SCORECARD)


def keep_records(entries: Sequence[Entry], folder: Path) -> None:
    """Copy what is needed of every run into a folder that then holds these runs and no other record."""
    wanted = {entry.run: entry for entry in entries}
    _refuse_foreign(folder)
    for name, entry in wanted.items():
        target = folder / name
        if target.exists() and target.samefile(entry.path):
            continue
        if target.exists() and read_seal(target).seal == read_seal(entry.path).seal:
            continue
        remove_tree(target)
        with new_folder(target, kind="record") as fresh:
            for file in (*ALWAYS, *NEEDED):
                if (entry.path / file).is_file():
                    shutil.copyfile(entry.path / file, fresh / file)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in wanted and (path / RECORD_FILE).is_file():
            remove_tree(path)


def _refuse_foreign(folder: Path) -> None:
    """A runs folder must not be thinned out by mistake."""
    whole = list(folder.glob("*/predictions.npz")) if folder.is_dir() else []
    if whole:
        raise HarnessError(
            "this folder holds whole runs, not kept records",
            where=whole[0].parent,
            mend="choose another folder for --keep",
        )
