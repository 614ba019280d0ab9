"""One run of a submission on a tiny task in its real runtime, and what can be seen of it afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.conformance.tiny import TinyTask
from harness.contract.faults import PredictionsRefused
from harness.contract.manifest import Param, Submission
from harness.contract.predictions import PREDICTIONS_FILE, Expected, PredictionsFile, open_predictions
from harness.contract.status import RunStatus
from harness.runtimes.progress import PROGRESS_FILE
from harness.runtimes.protocol import Job, Limits, Outcome, Runtime

CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
MAX_SECONDS = 600


@dataclass(frozen=True)
class Candidate:
    """A submission that is to be looked at."""

    manifest: Submission
    folder: Path
    params: Mapping[str, Param]
    runtime: Runtime

    @property
    def seconds(self) -> float:
        """The time that one run on a tiny task may take."""
        return min(self.manifest.resources.seconds, MAX_SECONDS)


@dataclass(frozen=True)
class Trial:
    """One run."""

    manifest: Submission
    task: TinyTask
    outcome: Outcome
    log: str
    predictions: PredictionsFile | None
    refused: PredictionsRefused | None
    written: tuple[str, ...]
    """Files that were made, changed or removed in the task folder, the submission folder and beside the output folder."""
    progress: tuple[str, ...] | None
    """Lines of `progress.jsonl`; None where there is no such file."""

    @property
    def ran(self) -> bool:
        return self.outcome.status is RunStatus.OK


def run_trial(candidate: Candidate, task: TinyTask, work: Path, *, seed: int = 0) -> Trial:
    """Run a submission in a new folder and open what it wrote."""
    room = work / "room"
    output = room / "output"
    output.mkdir(parents=True)
    job = Job(
        manifest=candidate.manifest,
        folder=candidate.folder.absolute(),
        task=task.folder,
        output=output,
        log=work / "log.txt",
        params=candidate.params,
        seed=seed,
        limits=replace(Limits.of(candidate.manifest.resources), seconds=candidate.seconds),
    )
    places = {
        "the task folder": task.folder,
        "the submission folder": candidate.folder,
        "the work folder": room,
    }
    before = {name: _state(path, output) for name, path in places.items()}
    outcome = candidate.runtime.run(job)
    written = [
        f"{file} in {name}"
        for name, path in places.items()
        for file in _differences(before[name], _state(path, output))
    ]
    predictions, refused = _open(output, task, candidate)
    lines = output / PROGRESS_FILE
    return Trial(
        manifest=candidate.manifest,
        task=task,
        outcome=outcome,
        log=job.log.read_text(encoding="utf-8", errors="replace") if job.log.exists() else "",
        predictions=predictions,
        refused=refused,
        written=tuple(written),
        progress=tuple(lines.read_text(encoding="utf-8").splitlines()) if lines.exists() else None,
    )


def progress_fault(lines: tuple[str, ...]) -> str | None:
    """What is wrong with the first line of progress that cannot be shown."""
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            float(told["step"])
        except (ValueError, KeyError, TypeError) as error:
            return f"line {number} is {line[:60]!r} ({type(error).__name__}: {error})"
    return None


def _open(
    output: Path, task: TinyTask, candidate: Candidate
) -> tuple[PredictionsFile | None, PredictionsRefused | None]:
    expected = Expected.of(task.card, var_required=candidate.manifest.claims.uncertainty == "native")
    path = output / PREDICTIONS_FILE
    folder = output / "predictions"
    try:
        return open_predictions(path if path.exists() or not folder.is_dir() else folder, expected), None
    except PredictionsRefused as refused:
        return None, refused


def _state(folder: Path, output: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of each file of a folder, without caches and without the output folder."""
    found = {}
    for path in folder.rglob("*"):
        inner = path.relative_to(folder)
        if not path.is_dir() and not path.is_relative_to(output) and not CACHES.intersection(inner.parts):
            told = path.lstat()
            found[str(inner)] = (told.st_size, told.st_mtime_ns)
    return found


def _differences(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
