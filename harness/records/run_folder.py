"""Run folders: named, built whole, read back and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.contract.status import RunStatus
from harness.digest import file_hash
from harness.errors import ChangedError, ExistsError, HarnessError, UnknownNameError
from harness.records.record import RunConfig, RunRecord
from harness.storage import make_folder, new_folder, read_json, write_json

RECORD_FILE = "record.json"
SEAL_FILE = "seal.json"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
CALIBRATION_FILE = "calibration.json"
TABLE_FILE = "metrics.parquet"
SPLIT_FILE = "split_hash.txt"
LOG_FILE = "log.txt"
STATUS_FILE = "status"
PREDICTIONS = "predictions"
MODEL = "model"
RUN_NAME = re.compile(r"^\d{8}-\d{6}_[0-9a-f]{7}_.+_[0-9a-f]{7}(-\d+)?$")
MOST_IN_ONE_SECOND = 1000
CLAIM = ".claim-"
"""Begins the name of an empty folder that keeps a run's name free until the run stands there."""


@dataclass(frozen=True)
class RunFolder:
    """A finished run on disk."""

    path: Path
    record: RunRecord

    def metrics(self) -> dict[str, Any] | None:
        """Its `metrics.json`; None where the run was not scored."""
        path = self.path / METRICS_FILE
        if METRICS_FILE not in self.record.files:
            return None
        found: dict[str, Any] = read_json(path, "metrics")
        return found

    def config(self) -> RunConfig:
        """Its `config.json`: what was decided before it ran."""
        path = self.path / CONFIG_FILE
        return RunConfig.read(read_json(path, "configuration"), where=path)


def run_name(started: datetime, split_hash: str, submission: str, config_hash: str) -> str:
    """`<UTCYYYYMMDD-HHMMSS>_<split7>_<submission>_<config7>`."""
    clock = started.astimezone(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{clock}_{split_hash[:7]}_{submission}_{config_hash[:7]}"


@contextmanager
def new_run(runs: Path, name: str) -> Iterator[tuple[Path, str]]:
    """A run folder to fill, and the name that it will have; it appears when it is complete.

    Two runs of one name (the same run twice in a second) get names ending in -2, -3, …
    """
    for number in range(1, MOST_IN_ONE_SECOND):
        free = name if number == 1 else f"{name}-{number}"
        if _claim(runs, free):
            try:
                with new_folder(runs / free, kind="run") as folder:
                    yield folder, free
            finally:
                (runs / (CLAIM + free)).rmdir()
            return
    raise ExistsError("too many runs of this name", where=runs / name)


def seal_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run that is being built, but its record and its seal."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    named = {str(path.relative_to(folder)): path for path in files}
    return {file: file_hash(path) for file, path in named.items() if file not in (RECORD_FILE, SEAL_FILE)}


def write_record(folder: Path, record: RunRecord) -> None:
    """Write `record.json`, the last file of a run."""
    write_json(folder / RECORD_FILE, record.model_dump(mode="json", by_alias=True))


def open_run(path: Path, *, verify: bool = False) -> RunFolder:
    """A run by its folder; with `verify` every file but a pruned checkpoint is checked against the record."""
    if path.name.startswith(".") or not (path / RECORD_FILE).is_file():
        raise HarnessError(
            "no run here",
            where=path,
            got=f"no {RECORD_FILE}" if path.is_dir() else "no such folder",
            mend="harness runs list shows the runs",
        )
    record = RunRecord.read(read_json(path / RECORD_FILE, "run record"), where=path / RECORD_FILE)
    if verify:
        pruned = not (path / MODEL).exists()
        for file, expected in record.files.items():
            if pruned and file.startswith(f"{MODEL}/"):
                continue
            found = file_hash(path / file) if (path / file).is_file() else "no such file"
            if found != expected:
                raise ChangedError(
                    "a file of the run has changed", where=path / file, got=found, expected=expected
                )
    return RunFolder(path, record)


def list_runs(runs: Path) -> list[RunFolder]:
    """Every finished run, oldest first; half-made, other and unreadable folders are passed over."""
    return [run for run in _read_runs(runs) if isinstance(run, RunFolder)]


def unreadable_runs(runs: Path) -> list[HarnessError]:
    """Why folders that bear a run's name cannot be read as one."""
    return [run for run in _read_runs(runs) if isinstance(run, HarnessError)]


def _read_runs(runs: Path) -> Iterator[RunFolder | HarnessError]:
    names = (
        sorted(entry.name for entry in runs.iterdir() if RUN_NAME.match(entry.name)) if runs.is_dir() else []
    )
    for name in names:
        if (runs / name / RECORD_FILE).is_file():
            try:
                yield open_run(runs / name)
            except HarnessError as fault:
                yield fault


def find_run(runs: Path, reference: str) -> RunFolder:
    """A run by folder, name, unique beginning of its name, `last`, or its config hash."""
    if "/" in reference or (Path(reference) / RECORD_FILE).is_file():
        return open_run(Path(reference))
    found = list_runs(runs)
    if reference == "last" and found:
        return found[-1]
    matching = [run for run in found if run.path.name == reference] or [
        run
        for run in found
        if run.path.name.startswith(reference) or run.record.config_hash.startswith(reference)
    ]
    if len(matching) == 1:
        return matching[0]
    if len(matching) > 1:
        raise HarnessError(
            f"{reference!r} names {len(matching)} runs",
            where=runs,
            got=", ".join(run.path.name for run in matching[:5]),
            mend="give more of the name",
        )
    raise UnknownNameError("run", reference, [run.path.name for run in found], where=runs)


def attempt_is_recorded(runs: Path, attempt: str, config_hash: str) -> bool:
    """Whether a finished run holds the result of this execution already."""
    return any(
        run.record.attempt == attempt for run in list_runs(runs) if run.record.config_hash == config_hash
    )


def status_line(status: RunStatus, reason: str) -> str:
    """The content of `status`: the word, then the reason on one line."""
    return f"{status}\n{' '.join(reason.split())}\n"


def _claim(runs: Path, name: str) -> bool:
    """Take a name for a run that is about to be written, unless it is taken; atomic among processes."""
    make_folder(runs)
    claim = runs / (CLAIM + name)
    try:
        claim.mkdir()
    except FileExistsError:
        return False
    if (runs / name).exists():
        claim.rmdir()
        return False
    return True
