"""What has been given to SLURM: one small file an array, written before it is handed in and completed after.

A process that is killed in between leaves the name of the job, by which SLURM can still be asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from harness.contract.models import Record
from harness.schedulers.batch import ARRAYS, Batch
from harness.storage import read_json, write_json

JobStep = Literal["run", "score", "shard", "collect"]


class Array(Record):
    """One job array, or the last job of a batch."""

    number: int
    step: JobStep
    name: str
    """Of the job; no other job has it."""
    tasks: list[list[int]]
    """The parts of each element."""
    job: str | None = None
    """SLURM's number, as soon as it is known."""

    def parts(self, index: int | None) -> list[int]:
        """The parts of one element; of all where SLURM speaks of the array as a whole."""
        return [part for task in self.tasks for part in task] if index is None else self.tasks[index]


def new_array(batch: Batch, number: int, step: JobStep, tasks: list[list[int]]) -> Array:
    """An array that is not written anywhere yet."""
    return Array(number=number, step=step, name=f"{batch.name}.{number}.{step}", tasks=tasks)


def write_array(batch: Batch, array: Array) -> None:
    """Write or complete the file of an array."""
    write_json(batch.path / ARRAYS / f"{array.number:04}.json", array.document())


def read_array(batch: Batch, number: int) -> Array:
    """One array."""
    path = batch.path / ARRAYS / f"{number:04}.json"
    return Array.read(read_json(path, "array"), where=path)


def read_arrays(batch: Batch) -> list[Array]:
    """Every array of a batch, in the order in which they were handed in."""
    names = sorted(path.stem for path in (batch.path / ARRAYS).glob("[0-9]*.json"))
    return [read_array(batch, int(name)) for name in names]


def packed(numbers: Iterable[int], pack: int, largest: int) -> list[list[list[int]]]:
    """Parts in tasks of `pack`, tasks in arrays of at most `largest`."""
    chosen = sorted(numbers)
    tasks = [chosen[start : start + pack] for start in range(0, len(chosen), pack)]
    return [tasks[start : start + largest] for start in range(0, len(tasks), largest)]
