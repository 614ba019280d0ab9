"""The work of controls in pieces that any process can do: one run, one halving, one oracle, one transform."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.controls import catalogue
from harness.controls.baselines import baseline_hash, score_baseline
from harness.controls.bench import Bench
from harness.controls.halving import DUPLICATES, HALF_ANCHORS, TOO_FEW, halve
from harness.controls.metadata import metadata_adversary
from harness.controls.oracle import FORMS, score_oracle
from harness.datasets.echo import control_echo
from harness.digest import Digest, file_hash
from harness.scoring.score_table import Scored, ScoreTable
from harness.scoring.sealed_arrays import read_sealed, write_sealed
from harness.scoring.truth_cache import kernels_version

FOLDER = "controls"
HALVING, ORACLE = "halving", "oracle"


@dataclass(frozen=True)
class Piece:
    """What one piece of work found."""

    tables: Mapping[str, ScoreTable]
    """By control."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a control does not apply."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Of a check."""


def _echo(bench: Bench) -> Piece:
    report = control_echo(bench.dataset)
    if report.reason is not None:
        return Piece({}, {"control_echo": report.reason})
    numbers = {"correlation": report.r, "p": report.p, "n": float(report.n), "twins": report.twins}
    return Piece({}, numbers=numbers | {"refused": float(report.refused)})


def _metadata(bench: Bench) -> Piece:
    verdicts = metadata_adversary(bench)
    if isinstance(verdicts, str):
        return Piece({}, {"metadata_adversary": verdicts})
    numbers = {
        f"{name}.{what}": getattr(one, what) for name, one in verdicts.items() for what in ("gain", "p")
    }
    leaks = any(one.leaks for one in verdicts.values())
    return Piece({}, numbers=numbers | {"leaks": float(leaks)})


CHECKS: dict[str, Callable[[Bench], Piece]] = {"control_echo": _echo, "metadata_adversary": _metadata}
CLASSES = (Piece, ScoreTable, Scored)


def task_pieces() -> tuple[str, ...]:
    """The names of all pieces of a task's controls, the longest first."""
    halvings = [f"{HALVING}_{number}" for number in range(1, catalogue.REPLICATES + 1)]
    forms = [f"{ORACLE}_{form}" for form in reversed(FORMS)]
    return (*halvings, *forms, *catalogue.BASELINES, *CHECKS)


def make_piece(name: str, bench: Bench) -> Piece:
    """Do one piece of the controls of a task."""
    if name in CHECKS:
        return CHECKS[name](bench)
    kind, _, rest = name.rpartition("_")
    with tempfile.TemporaryDirectory(prefix="harness-control-") as folder:
        scratch = Path(folder)
        if kind == HALVING:
            halving = halve(bench, int(rest))
            if halving is None:
                return Piece({}, dict.fromkeys((*DUPLICATES, *HALF_ANCHORS), TOO_FEW))
            return Piece(halving.score(scratch))
        if kind == ORACLE:
            return Piece({ORACLE: score_oracle(rest, bench, scratch)})
        return Piece({name: score_baseline(name, bench, scratch)})


def piece_path(name: str, root: Path) -> Path:
    """Where a piece is kept beside a built task: under the code that makes it, and the baseline's content."""
    own = f"-{baseline_hash(name)[:12]}" if name in catalogue.BASELINES else ""
    return root / FOLDER / controls_version()[:16] / f"{name}{own}.sealed"


def read_piece(path: Path) -> Piece:
    """A kept piece, checked against its hash."""
    found: Piece = read_sealed(path, CLASSES)
    return found


def write_piece(path: Path, piece: Piece) -> None:
    """Keep a piece; it appears whole."""
    write_sealed(path, piece)


@cache
def controls_version() -> str:
    """Hash of all code that makes controls and scores them."""
    digest = Digest("controls").field("kernels", kernels_version())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.field(path.name, file_hash(path))
    return digest.hexdigest()
