"""A batch: many runs decided together, as a folder of plain files that any process on the same disk can go on with.

`plan.json` says what is to be done, `markers/` what is done, `arrays/` what was given to a scheduler. Nothing is held in
memory between two commands, and nothing in it needs the process that made it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.contract.manifest import Param
from harness.contract.models import Record
from harness.errors import HarnessError, UnknownNameError
from harness.splits.split import Split, read_split
from harness.storage import make_folder, new_folder, read_json, write_json

BATCHES = ".batches"
PLAN_FILE = "plan.json"
SPLITS, MARKERS, LOCKS, ARRAYS, LOGS, SCRIPTS, SHARDS = (
    "splits", "markers", "locks", "arrays", "logs", "scripts", "shards",
)  # fmt: skip
NAME = re.compile(r"^[a-z0-9][a-z0-9_-]{0,80}$")
Kind = Literal["submit", "score", "sweep", "suite"]
Step = Literal["run", "score", "shard"]


class Needs(Record):
    """What one part asks of a machine."""

    cpus: int
    memory_bytes: int
    seconds: int
    gpus: int = 0


class Part(Record):
    """One run, or one shard of a score."""

    number: int
    """From 1; its name in every file of the batch."""
    label: str
    config_hash: str | None = None
    """Of the run's configuration when it was planned; what differs later is refused."""
    before: list[str] = []
    """Runs of the same configuration that stood already, which are not this part's."""
    request: dict[str, Any] = {}
    """The run's request; see `batch_request`."""
    axes: dict[str, Param] = {}
    """Where the part stands in a grid of a sweep or a suite: parameter, seed, task."""
    needs: Needs


class Purpose(Record):
    """Why the batch was made."""

    kind: Kind
    source: str | None = None
    """The file of a sweep or a suite."""
    definition: dict[str, Any] = {}
    """What its last step has to know: the scoring job and where its result goes; the grid and the metric of a sweep."""


class BatchPlan(Record):
    """`plan.json`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    name: str
    on: Literal["local", "slurm"]
    created: str
    command: str
    runs: str
    """Where finished runs go."""
    root: str
    """The project folder, in which jobs start."""
    purpose: Purpose
    jobs: int = 1
    """Parts at one time of a local pool."""
    slurm: dict[str, Any] = {}
    """Options of the site and of the command line; see `slurm.options`."""
    parts: list[Part]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done with each part, one after the other."""
        return ("shard",) if self.purpose.kind == "score" else ("run", "score")


@dataclass(frozen=True)
class Batch:
    """A batch on disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def plan(self) -> BatchPlan:
        where = self.path / PLAN_FILE
        return BatchPlan.read(read_json(where, "batch plan"), where=where)

    @property
    def runs(self) -> Path:
        return Path(self.plan.runs)

    def part(self, number: int) -> Part:
        """A part by its number."""
        if not 1 <= number <= len(self.plan.parts):
            raise HarnessError(
                f"there is no part {number}", where=self.name, expected=f"1 to {len(self.plan.parts)}"
            )
        return self.plan.parts[number - 1]

    def split(self, frozen_hash: str) -> Split:
        """A split that the batch was planned with."""
        path = self.path / SPLITS / f"{frozen_hash}.json"
        return read_split(read_json(path, "split"), where=path)

    def shard(self, number: int) -> Path:
        """Where a shard of a score is left."""
        return self.path / SHARDS / f"shard-{number}-of-{len(self.plan.parts)}"


def create_batch(plan: BatchPlan, splits: dict[str, Split]) -> Batch:
    """Write a new batch; it appears when it is complete."""
    if not NAME.match(plan.name):
        raise HarnessError(
            "this is no name for a batch", got=plan.name, expected="small letters, digits, - and _"
        )
    target = Path(plan.runs) / BATCHES / plan.name
    make_folder(target.parent)
    with new_folder(target, kind="batch") as folder:
        for inner in (MARKERS, LOCKS, ARRAYS, LOGS, SCRIPTS):
            (folder / inner).mkdir()
        for name, split in splits.items():
            write_json(folder / SPLITS / f"{name}.json", split.document())
        write_json(folder / PLAN_FILE, plan.document())
    return Batch(target)


def unwritten(plan: BatchPlan) -> Batch:
    """A batch as it would be, for a look at what it would hand in."""
    batch = Batch(Path(plan.runs) / BATCHES / plan.name)
    batch.__dict__["plan"] = plan
    return batch


def list_batches(runs: Path) -> list[Batch]:
    """Every batch, by name."""
    root = runs / BATCHES
    found = sorted(root.iterdir()) if root.is_dir() else []
    return [Batch(path) for path in found if (path / PLAN_FILE).is_file() and not path.name.startswith(".")]


def find_batch(runs: Path, name: str) -> Batch:
    """A batch by name, by the unique beginning of its name, or `last`, the one made last."""
    known = list_batches(runs)
    if name == "last" and known:
        return max(known, key=lambda batch: (batch.plan.created, batch.name))
    exact = [batch for batch in known if batch.name == name]
    found = exact or [batch for batch in known if batch.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise HarnessError(
            f"{name!r} names {len(found)} batches",
            where=runs / BATCHES,
            got=", ".join(batch.name for batch in found[:5]),
            mend="give more of the name",
        )
    raise UnknownNameError("batch", name, [batch.name for batch in known], where=runs / BATCHES)
