"""A benchmark job: any module of this folder that defines `NAME`, `TITLE` and `run(quick)`, which returns rows."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from benchmarks.measure import Cost

FOLDER = Path(__file__).parent
DECLARED = {"NAME", "TITLE", "run"}
Source = Literal["side by side", "recorded", "alone"]
"""Whether the peer ran in the same run, long ago on the same inputs, or there is none."""


@dataclass(frozen=True)
class Row:
    """One line of the table: ours, and the peer where there is one."""

    what: str
    ours_cpu_s: float
    ours_wall_s: float
    ours_peak_mb: float
    peer: str = ""
    peer_cpu_s: float | None = None
    peer_wall_s: float | None = None
    peer_peak_mb: float | None = None
    source: Source = "alone"
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    """What else was measured, for the JSON."""

    @classmethod
    def of(cls, what: str, ours: Cost, peer: str = "", theirs: Cost | None = None, note: str = "") -> Row:
        """A row of two measured commands, imports apart; of one where there is no peer."""
        details: dict[str, Any] = {"ours": ours.document()}
        if theirs is None:
            return cls(what, ours.own_cpu_s, ours.wall_s, ours.peak_rss_mb, note=note, details=details)
        return cls(
            what, ours.own_cpu_s, ours.wall_s, ours.peak_rss_mb,
            peer, theirs.own_cpu_s, theirs.wall_s, theirs.peak_rss_mb,
            "side by side", note, details | {"peer": theirs.document()},
        )  # fmt: skip

    @property
    def ratio(self) -> float | None:
        """CPU seconds of the peer over ours."""
        return None if self.peer_cpu_s is None else self.peer_cpu_s / max(self.ours_cpu_s, 1e-9)

    def document(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return asdict(self) | {"ratio": self.ratio}


class Job(Protocol):
    """What a job's module offers."""

    NAME: str
    TITLE: str

    def run(self, quick: bool) -> Sequence[Row]:
        """Measure. `quick` is a size for looking, not for claims."""
        ...


def find_jobs(folder: Path = FOLDER) -> dict[str, Job]:
    """Every job of the folder by name; files that declare none are never imported."""
    modules = [path.stem for path in sorted(folder.glob("*.py")) if _declared(path) >= DECLARED]
    jobs = [cast(Job, importlib.import_module(f"benchmarks.{module}")) for module in modules]
    return {job.NAME: job for job in jobs}


def _declared(path: Path) -> set[str]:
    """Names that a module defines at its top."""
    return set(_names(ast.parse(path.read_text(encoding="utf-8")).body))


def _names(statements: Iterable[ast.stmt]) -> Iterable[str]:
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id
