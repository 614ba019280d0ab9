"""Every control of one task, made once and kept beside it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.controls.analytic import check_controls
from harness.controls.bench import Bench
from harness.controls.catalogue import BASELINES, CONTROLS, REPLICATES
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.halving import DUPLICATES, HALF_ANCHORS
from harness.controls.oracle import FORMS
from harness.controls.pieces import CHECKS, HALVING, ORACLE, Piece, piece_path, read_piece, task_pieces
from harness.controls.workers import pieces_of_task
from harness.datasets.dataset import PerturbDataset
from harness.scoring.engine import Progress
from harness.splits.split import Split
from harness.storage import make_folder
from harness.tasks.folder import Task


@dataclass(frozen=True)
class Cost:
    """What is there already, and what is still to be made."""

    kept: tuple[str, ...]
    missing: tuple[str, ...]


def controls_cost(task: Task) -> Cost:
    """Which pieces of a task's controls are kept."""
    root = task.sealed.parent
    there = [name for name in task_pieces() if piece_path(name, root).is_file()]
    return Cost(tuple(there), tuple(name for name in task_pieces() if name not in there))


def task_controls(
    dataset: PerturbDataset,
    split: Split,
    task: Task,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ControlSet:
    """The controls that belong to a task alone: baselines, duplicates, oracle, echo, metadata adversary.

    Each piece is kept beside the task under the hash of the code and the baseline that made it; a second call reads them.
    `workers`: processes, by default one for each core up to eight. A control whose score is known analytically and is off
    by more than 1e-6 is refused, because then the metric is broken.
    """
    bench = Bench(dataset, split, task)
    root = task.sealed.parent
    paths = {name: piece_path(name, root) for name in task_pieces()}
    missing = {name: path for name, path in paths.items() if not path.is_file()}
    if missing:
        with _alone(next(iter(missing.values())).parent):
            still = {name: path for name, path in missing.items() if not path.is_file()}
            pieces_of_task(bench, still, workers, progress)
    pieces = {name: read_piece(path) for name, path in paths.items()}
    controls = ControlSet({one.card.name: one for one in _scores(pieces)})
    check_controls(controls)
    return controls


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time makes what is missing; who waited finds it made."""
    make_folder(folder)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _scores(pieces: dict[str, Piece]) -> list[ControlScore]:
    halvings = [pieces[f"{HALVING}_{number}"] for number in range(1, REPLICATES + 1)]
    forms = [pieces[f"{ORACLE}_{form}"] for form in FORMS]
    return [
        *(_score(name, [pieces[name]]) for name in BASELINES),
        *(_score(name, halvings) for name in (*DUPLICATES, *HALF_ANCHORS)),
        _score(ORACLE, forms, FORMS),
        *(_check(name, pieces[name]) for name in CHECKS),
    ]


def _score(name: str, pieces: Sequence[Piece], labels: tuple[str, ...] = ()) -> ControlScore:
    reason = next((one.reasons[name] for one in pieces if name in one.reasons), None)
    if reason is not None:
        return ControlScore(CONTROLS[name], reason=reason)
    return ControlScore(CONTROLS[name], tuple(one.tables[name] for one in pieces), labels)


def _check(name: str, piece: Piece) -> ControlScore:
    return ControlScore(CONTROLS[name], numbers=piece.numbers, reason=piece.reasons.get(name))
