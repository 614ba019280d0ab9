"""Pieces of control work side by side: processes that take the next piece until none is left."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.controls.bench import Bench
from harness.controls.catalogue import SCALES
from harness.controls.pieces import Piece, make_piece, read_piece, write_piece
from harness.controls.transformed import score_transformed, transforms
from harness.datasets.dataset import open_dataset
from harness.errors import HarnessError
from harness.scoring.engine import Engine, Progress, ScoreInputs
from harness.scoring.worker import engine_of_job
from harness.scoring.workers import DONE, REFUSED, job_document, say, usable_cores, work
from harness.splits.split import read_split
from harness.storage import make_folder, read_json, write_json
from harness.tasks.folder import open_task

MOST = 8
CLAIM = ".claim"


def pieces_of_task(
    bench: Bench, paths: Mapping[str, Path], workers: int | None = None, progress: Progress | None = None
) -> None:
    """Make the pieces of a task's controls and leave each at its path."""
    told = {
        "dataset": str(bench.dataset.path.absolute()),
        "split": bench.split.document(),
        "task": str(bench.task.sealed.parent.absolute()),
    }
    _spread(told, lambda name: make_piece(name, bench), paths, workers, progress)


def pieces_of_submission(
    engine: Engine, paths: Mapping[str, Path], workers: int | None = None, progress: Progress | None = None
) -> None:
    """Make the pieces of a submission's controls and leave each at its path."""
    _spread(
        {"score": job_document(engine)},
        lambda name: make_transformed(name, engine.inputs),
        paths,
        workers,
        progress,
    )


def make_transformed(name: str, inputs: ScoreInputs) -> Piece:
    """Score one transform of a submission's predictions."""
    with tempfile.TemporaryDirectory(prefix="harness-control-") as scratch:
        found = transforms(inputs, SCALES)[name]
        return Piece({name: score_transformed(inputs, found, Path(scratch))})


def _spread(
    told: dict[str, Any],
    make: Callable[[str], Piece],
    paths: Mapping[str, Path],
    workers: int | None,
    progress: Progress | None,
) -> None:
    wanted = min(len(paths), min(usable_cores(), MOST) if workers is None else workers)
    if wanted <= 1:
        for done, (name, path) in enumerate(paths.items(), 1):
            write_piece(path, make(name))
            if progress is not None:
                progress(done, len(paths))
        return
    with tempfile.TemporaryDirectory(prefix="harness-controls-") as scratch:
        job = Path(scratch) / "job.json"
        write_json(job, told | {"pieces": {name: str(path.absolute()) for name, path in paths.items()}})
        words = [["harness.controls.workers", str(job)]] * wanted
        work(words, Path(scratch) / "workers.log", len(paths), progress)


def main(job: Path) -> int:
    """One process: take pieces until none is left, or until nobody waits for them any more."""
    asked_by = os.getppid()
    try:
        told = read_json(job, "job")
        make = _maker(told, job)
        for number, (name, path) in enumerate(told["pieces"].items()):
            if os.getppid() == asked_by and _claimed(job.with_name(f"{number}{CLAIM}")):
                make_folder(Path(path).parent)
                write_piece(Path(path), make(name))
                say({DONE: number})
    except HarnessError as error:
        say({REFUSED: {"what": error.what, "code": int(error.code)} | dict(error.lines())})
        return int(error.code)
    return 0


def _maker(told: dict[str, Any], job: Path) -> Callable[[str], Piece]:
    """What was verified by the process that asks is not verified again."""
    if "score" in told:
        inputs = engine_of_job(told["score"], where=job).inputs
        return lambda name: make_transformed(name, inputs)
    dataset = open_dataset(Path(told["dataset"]), verify=False)
    bench = Bench(dataset, read_split(told["split"], where=job), open_task(Path(told["task"]), verify=False))
    return lambda name: make_piece(name, bench)


def _claimed(path: Path) -> bool:
    """Whether this process is the first to take a piece."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


__all__: Sequence[str] = ("make_transformed", "pieces_of_submission", "pieces_of_task", "read_piece")

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
