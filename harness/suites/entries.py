"""What sweep and suite files share: tasks and submissions as they are told, and how such a file is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, model_validator

from harness.contract.manifest import Param
from harness.contract.models import Record
from harness.errors import HarnessError, UnknownNameError
from harness.metrics.card import Direction, cards
from harness.metrics.registry import panels
from harness.storage import read_toml

Label = Annotated[str, StringConstraints(pattern=r"^[^\s,]+$", max_length=120)]
FileName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,50}$")]
Graph = Literal["given", "rewired", "none"]
F = TypeVar("F", bound=Record)


class TaskEntry(Record):
    """A task: a frozen split of a dataset, or a regime by which one is made and frozen."""

    name: Label
    """What it is called in this file."""
    dataset: str
    """Name in the data folder."""
    split: str | None = None
    """Name of its split; of one that is made, by default the regime."""
    regime: str | None = None
    """The regime that makes the split; none where it is frozen already."""
    params: dict[str, Any] = {}
    """Of the regime."""
    seed: int = 0
    """Of the regime."""

    @model_validator(mode="after")
    def _has_a_split(self) -> TaskEntry:
        if self.split is None and self.regime is None:
            raise ValueError(f"task {self.name!r} names neither a split nor a regime")
        if self.regime is None and self.params:
            raise ValueError(f"task {self.name!r} has params of a regime, but no regime")
        return self


class SubmissionEntry(Record):
    """A submission in one configuration."""

    name: Label
    """What it is called in this file."""
    submission: str
    """Folder or name, with `@variant`."""
    params: dict[str, Param] = {}
    graph: Graph = "given"
    """`rewired`: every graph of the task with its ends exchanged at random; `none`: without graphs."""
    seeds: Annotated[int, Field(ge=1)] | None = None
    """Where it needs another number than the others."""
    tasks: list[Label] | None = None
    """Where it does not run on all tasks."""
    optional: bool = False
    """Where it may be missing here; what speaks of it cannot be decided then."""


def read_definition(model: type[F], path: Path, kind: str, example: str) -> F:
    """A sweep or suite file; every fault is told with its place."""
    return model.read(read_toml(path, kind), where=path, mend=example)


def task_entry(told: str | TaskEntry) -> str:
    """What a task is called."""
    return told if isinstance(told, str) else told.name


def submission_entry(told: str | SubmissionEntry) -> SubmissionEntry:
    """A submission that is named alone is called what it is named."""
    return SubmissionEntry(name=told, submission=told) if isinstance(told, str) else told


def check_once(kind: str, names: Sequence[str], where: object) -> None:
    """Two things of one name cannot be told apart."""
    for name in names:
        if names.count(name) > 1:
            raise HarnessError(f"{kind} {name!r} stands here twice", where=where, mend="name each once")


def check_known(kind: str, names: Iterable[str], known: Iterable[str], where: object) -> None:
    """Everything that is named must be there."""
    options = list(known)
    for name in names:
        if name not in options:
            raise UnknownNameError(kind, name, options, where=where)


def check_metric(name: str, where: object, *, directed: bool = True) -> None:
    """A metric that a choice or a claim hangs on is a score of a panel, and one with a better and a worse."""
    known = {key: card for key, card in cards().items() if card.panel in panels()}
    if name not in known:
        raise UnknownNameError("metric", name, known, where=where)
    if directed and known[name].direction is Direction.NONE:
        raise HarnessError(
            f"{name} is a description, not a score: no value of it is better than another",
            where=where,
            expected="a metric with a direction",
            mend="harness metrics list shows the direction of each",
        )


def keys_of(document: Mapping[str, Any]) -> Iterable[str]:
    """Every key of a document, at any depth."""
    for key, value in document.items():
        yield key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                yield from keys_of(inner)
