"""`sweep.toml`: a base, what is varied, and the metric that decides. Which cells are predicted is no setting: validation."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from harness.contract.manifest import Param
from harness.contract.models import Record
from harness.errors import HarnessError
from harness.storage import read_toml
from harness.suites.entries import FileName, TaskEntry, check_metric, check_once, keys_of, task_entry

EXAMPLE = "docs/how-to/sweeps-and-suites.md shows a whole sweep file"
OF_TEST = ("eval_split", "eval-split", "evaluate_on", "first_look", "first-look", "test")
"""Words by which a file could ask for test; none of them is a setting."""


class Point(NamedTuple):
    """One configuration of a sweep."""

    name: str
    submission: str
    """With its variant."""
    params: dict[str, Param]


class SweepFile(Record):
    """A sweep: every point of a grid, or every point of a list, on every task, with every seed."""

    kind: ClassVar[str] = "sweep"

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    name: FileName
    title: str = ""
    submissions: Annotated[list[str], Field(min_length=1)]
    """The base: one, or several to choose between; each may name a variant."""
    tasks: Annotated[list[str | TaskEntry], Field(min_length=1)]
    seeds: Annotated[int, Field(ge=1)] = 3
    metric: str = "calibrated.wmse"
    """Decides who wins."""
    controls: bool = False
    """A choice needs no controls; with them every run is a whole one."""
    params: dict[str, Param] = {}
    """Of every point."""
    grid: dict[str, Annotated[list[Param], Field(min_length=1)]] = {}
    """Parameter → its values; every combination is a point."""
    points: list[dict[str, Param]] = []
    """The points themselves, where they are no grid."""

    @model_validator(mode="after")
    def _varies_in_one_way(self) -> SweepFile:
        if self.grid and self.points:
            raise ValueError("a sweep has a grid or points, not both")
        return self

    def all_points(self) -> list[Point]:
        """Every configuration, in the order of the file."""
        of_grid = [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]
        patches = self.points or of_grid
        return [
            Point(_name(submission, patch), submission, {**self.params, **patch})
            for submission in self.submissions
            for patch in patches
        ]


def read_sweep(path: Path) -> SweepFile:
    """A sweep file; one that asks for test is refused by the word that it uses."""
    told = read_toml(path, "sweep")
    _refuse_test(told, path)
    sweep = SweepFile.read(told, where=path, mend=EXAMPLE)
    check_metric(sweep.metric, path)
    check_once("task", [task_entry(one) for one in sweep.tasks], path)
    check_once("point", [one.name for one in sweep.all_points()], path)
    return sweep


def _refuse_test(told: dict[str, Any], path: Path) -> None:
    for key in keys_of(told):
        if key in OF_TEST:
            raise HarnessError(
                f"{key!r} is no setting of a sweep: a sweep chooses, and what is chosen is chosen on validation",
                where=path,
                got=f"{key} = …",
                expected="no word about test",
                mend=f"take {key!r} out; look at test once, with the winner: harness submit … --eval-split test",
            )


def _name(submission: str, patch: dict[str, Param]) -> str:
    return " ".join([submission, *(f"{key}={value}" for key, value in patch.items())])
