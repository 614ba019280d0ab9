"""What is left of a sweep or a suite, given to a scheduler as a batch; and the list of it, written and read by `resume`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.digest import file_hash
from harness.errors import ChangedError, HarnessError
from harness.schedulers.batch import BatchPlan, Purpose
from harness.schedulers.batch_plan import On, plan_batch
from harness.storage import make_folder, read_json, write_json
from harness.suites.cells import Cell

SWEEPS, SUITES = ".sweeps", ".suites"
LEFT_FILE = "left.json"


@dataclass(frozen=True)
class Source:
    """The file that runs are made from."""

    kind: Literal["sweep", "suite"]
    name: str
    path: Path

    def folder(self, runs: Path) -> Path:
        """Where its own documents lie."""
        return runs / (SWEEPS if self.kind == "sweep" else SUITES) / self.name


def plan_left(
    source: Source,
    cells: Sequence[Cell],
    *,
    on: On,
    root: Path,
    jobs: int | None = None,
    slurm: Mapping[str, Any] | None = None,
) -> BatchPlan:
    """The batch of what is left."""
    return plan_batch(
        [cell.plan for cell in cells],
        on=on,
        root=root,
        name=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{source.kind}-{source.name}",
        jobs=jobs,
        slurm=slurm,
        purpose=Purpose(kind=source.kind, source=str(source.path.absolute())),
        axes=[cell.axes for cell in cells],
    )


def write_left(source: Source, runs: Path, cells: Sequence[Cell]) -> Path:
    """Write the list of what is left, under the hash of the file that it was made from."""
    path = source.folder(runs) / LEFT_FILE
    make_folder(path.parent)
    left = [{"config_hash": cell.config_hash, "label": cell.label, "axes": cell.axes} for cell in cells]
    write_json(
        path,
        {"schema": 1, source.kind: source.name, "file_sha256": file_hash(source.path), "left": left},
    )
    return path


def read_left(source: Source, runs: Path) -> list[str]:
    """The configurations on the list; refused where nothing was launched, or the file is another one by now."""
    path = source.folder(runs) / LEFT_FILE
    again = f"harness {source.kind} launch {source.path}"
    if not path.is_file():
        raise HarnessError(f"this {source.kind} was not launched", where=path, got="no such file", mend=again)
    told = read_json(path, "list of what is left")
    if told["file_sha256"] != file_hash(source.path):
        raise ChangedError(
            f"the {source.kind} file is not the one that was launched",
            where=source.path,
            got=file_hash(source.path)[:12],
            expected=told["file_sha256"][:12],
            mend=f"{again} goes on with what it says now; finished runs are not repeated",
        )
    return [one["config_hash"] for one in told["left"]]
