"""The step that costs: running the submission. Its result is kept until it stands in a run folder.

A harness that is killed after this step finds the result again under the run's configuration and goes on from there; one
that is killed during it has left nothing, and the step is done anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.contract.models import Record
from harness.contract.status import RunStatus
from harness.records.record import Guarantees
from harness.records.run_folder import LOG_FILE, attempt_is_recorded
from harness.runtimes.protocol import OFFICIAL, Guarantee, Outcome
from harness.runtimes.written import DEEPEST, written
from harness.storage import make_folder, new_folder, read_json, remove_tree, write_json

STEPS = ".steps"
NOT_SAID = "the runtime does not say that it gives this"
EXECUTION_FILE = "execution.json"
OUTPUT = "output"


class Execution(Record):
    """How the submission's own process ended."""

    attempt: str
    """Unique id of this execution."""
    config_hash: str
    started: str
    status: RunStatus
    exit_code: int | None
    signal: int | None
    wall_s: float
    peak_rss_bytes: int
    isolation: str
    granted: dict[str, str] = {}
    """What it was held to, and by what."""
    missing: dict[str, str] = {}
    """What it was not held to, and why."""
    detail: str

    @property
    def guarantees(self) -> Guarantees:
        """What it was held to, for the record."""
        return Guarantees(
            asked=[str(one) for one in Guarantee],
            granted=self.granted,
            missing=self.missing,
            needed=[str(one) for one in OFFICIAL],
        )


@dataclass(frozen=True)
class Executed:
    """An execution and where its output lies."""

    execution: Execution
    folder: Path

    @property
    def output(self) -> Path:
        return self.folder / OUTPUT

    @property
    def log(self) -> Path:
        return self.folder / LOG_FILE

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.execution.started)


@contextmanager
def executed(runs: Path, config_hash: str, run: Callable[[Path, Path], Outcome]) -> Iterator[Executed]:
    """The execution of a configuration: found where a killed harness left it whole, else made by `run(output, log)`.

    When the block ends its result has been used and is removed; when it fails or is killed, the result stays for a re-run.
    """
    with _claim(runs / STEPS, config_hash) as folder:
        found = _left_over(folder, runs, config_hash) or _execute(folder, config_hash, run)
        yield found
        shutil.rmtree(folder)


def is_kept(runs: Path, config_hash: str) -> bool:
    """Whether the result of a configuration that ended well waits here to be scored."""
    path = runs / STEPS / config_hash[:16] / EXECUTION_FILE
    if not path.is_file():
        return False
    execution = Execution.read(read_json(path, "execution"), where=path)
    return execution.status is RunStatus.OK and not attempt_is_recorded(runs, execution.attempt, config_hash)


def _execute(folder: Path, config_hash: str, run: Callable[[Path, Path], Outcome]) -> Executed:
    started = datetime.now(UTC)
    with new_folder(folder, kind="step") as partial:
        outcome = run(partial / OUTPUT, partial / LOG_FILE)
        make_folder(partial / OUTPUT)  # an engine that could not even start has made none
        make_plain(partial / OUTPUT)
        execution = Execution(
            attempt=uuid.uuid4().hex,
            config_hash=config_hash,
            started=started.isoformat(timespec="seconds"),
            status=outcome.status,
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            wall_s=round(outcome.wall_s, 3),
            peak_rss_bytes=outcome.peak_rss_bytes,
            isolation=outcome.isolation,
            granted={str(one): how for one, how in outcome.granted.items()},
            missing={
                str(one): outcome.missing.get(one, NOT_SAID)
                for one in Guarantee
                if one not in outcome.granted
            },
            detail=outcome.detail,
        )
        write_json(partial / EXECUTION_FILE, execution.model_dump(mode="json"))
    return Executed(execution, folder)


def make_plain(folder: Path) -> None:
    """Leave only readable files and folders of what a submission wrote, all of them the harness's own.

    What lies too deep for a path to say goes. A pipe would block whoever opens it. A file that has another name
    elsewhere, or that somebody still writes to, could change under the scorer and in the finished run: it is replaced by
    a copy.
    """
    folder.chmod(0o700)
    for entry, level in written(folder):
        path = Path(entry.path)
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) and level == DEEPEST:
            remove_tree(path)
        elif stat.S_ISDIR(mode):
            path.chmod(0o700)
        elif stat.S_ISREG(mode):
            path.chmod(0o644)
            if not _is_own(path):
                _copy_in_place(path)
        else:
            path.unlink()


def _is_own(path: Path) -> bool:
    """Whether a file has this one name, and nobody has it open for writing; the kernel gives a read lease only then."""
    if path.stat().st_nlink > 1 or not hasattr(fcntl, "F_SETLEASE"):  # no leases on macOS
        return False
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _copy_in_place(path: Path) -> None:
    copy = path.with_name(f".{uuid.uuid4().hex}")
    shutil.copyfile(path, copy)
    os.replace(copy, path)


def _left_over(folder: Path, runs: Path, config_hash: str) -> Executed | None:
    """A whole result that no run folder holds yet; anything else that lies there is cleared away."""
    path = folder / EXECUTION_FILE
    if path.is_file():
        execution = Execution.read(read_json(path, "execution"), where=path)
        if execution.status is RunStatus.OK and not attempt_is_recorded(runs, execution.attempt, config_hash):
            return Executed(execution, folder)
    if folder.exists():
        shutil.rmtree(folder)
    return None


@contextmanager
def _claim(steps: Path, config_hash: str) -> Iterator[Path]:
    """The step folder of a configuration, for this process alone; a second one at the same time gets a folder of its own."""
    make_folder(steps)
    lock = os.open(steps / f"{config_hash[:16]}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield steps / f"{config_hash[:16]}-{uuid.uuid4().hex[:8]}"
            return
        yield steps / config_hash[:16]
    finally:
        os.close(lock)
