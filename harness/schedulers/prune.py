"""What in a runs folder may go: half-made folders, left-over steps, old checkpoints, unscored runs."""

from __future__ import annotations

import fcntl
import time
from dataclasses import dataclass
from pathlib import Path

from harness.contract.status import RunStatus
from harness.records.run_folder import CLAIM, MODEL, list_runs
from harness.schedulers.batch_markers import waiting_configurations
from harness.schedulers.execution import STEPS
from harness.storage import dead_partials, remove_tree

SCORED = frozenset((RunStatus.OK, RunStatus.INCOMPLETE, RunStatus.HELD))
CLAIM_SECONDS = 3600


@dataclass(frozen=True)
class Piece:
    """Something that may be removed."""

    path: Path
    why: str
    n_bytes: int


def prunable(runs: Path, *, keep_models: int, failed: bool) -> list[Piece]:
    """Everything that may be removed now; nothing that a living process works on is among it."""
    if not runs.is_dir():
        return []
    steps = runs / STEPS
    pieces = [_piece(path, "left half-made by a killed process") for path in dead_partials(runs)]
    pieces += [_piece(path, "name of a run that was never written") for path in _old_claims(runs)]
    if steps.is_dir():
        pieces += [_piece(path, "left half-made by a killed process") for path in dead_partials(steps)]
        pieces += [_piece(path, "result of a run that was never finished") for path in _idle_steps(steps)]
    found = list_runs(runs)
    unscored = [run.path for run in found if failed and run.record.status not in SCORED]
    pieces += [_piece(path, "not scored") for path in unscored]
    models = [run.path / MODEL for run in found if run.path not in unscored and (run.path / MODEL).is_dir()]
    older = models[: max(0, len(models) - keep_models)]
    return pieces + [_piece(path, "checkpoint of an older run") for path in older]


def remove(piece: Piece) -> None:
    """Remove a piece; a whole run disappears in one step, so that a half-removed one is never seen."""
    if piece.path.name == MODEL or piece.path.name.startswith("."):
        remove_tree(piece.path)
        return
    hidden = piece.path.with_name(f".removed-{piece.path.name}")
    piece.path.rename(hidden)
    remove_tree(hidden)


def _old_claims(runs: Path) -> list[Path]:
    return sorted(
        path for path in runs.glob(f"{CLAIM}*") if time.time() - path.stat().st_mtime > CLAIM_SECONDS
    )


def _idle_steps(steps: Path) -> list[Path]:
    """Step results whose configuration no process works on, and that no batch waits to score."""
    idle, waiting = [], waiting_configurations(steps.parent)
    for folder in sorted(path for path in steps.iterdir() if path.is_dir() and not path.name.startswith(".")):
        lock = steps / f"{folder.name.partition('-')[0]}.lock"
        if (not lock.is_file() or _is_free(lock)) and folder.name not in waiting:
            idle.append(folder)
    return idle


def _is_free(lock: Path) -> bool:
    with lock.open("r+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _piece(path: Path, why: str) -> Piece:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return Piece(path, why, sum(file.lstat().st_size for file in files))
