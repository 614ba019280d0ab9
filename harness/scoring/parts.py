"""What the first stage leaves on disk: values as JSON, rows as plain arrays; one folder a shard, put together by index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.contract.models import Record
from harness.datasets.npy import create_array
from harness.digest import BLOCK_BYTES, Digest
from harness.errors import HarnessError
from harness.metrics.card import Value
from harness.scoring.condition_stage import ScoredCells
from harness.scoring.sealed_arrays import changed
from harness.scoring.values import from_plain, to_plain
from harness.storage import new_folder, read_json, write_json

SHARD_FILE = "shard.json"
Plain = dict[str, float | str]


class PartValues(Record):
    """What one condition scored, numbers or reasons."""

    index: int
    values: dict[str, Plain]
    carried: Plain


class Shard(Record):
    """`shard.json`: which conditions of which score lie in this folder."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    score: str
    """Hash of everything that the score is made from: shards of different scores are never put together."""
    shard: int
    shards: int
    """`shard` of `shards`, from 1."""
    conditions: list[PartValues]
    arrays: dict[str, str]
    """Hash of each array file by its name."""


@dataclass(frozen=True)
class Parts:
    """All conditions of a score, from one folder or many. Rows stay on disk."""

    conditions: dict[int, PartValues]
    _arrays: tuple[Mapping[str, NDArray[np.float64]], ...]
    _place: dict[int, tuple[int, int]]

    def indices(self) -> list[int]:
        return sorted(self.conditions)

    def values(self, index: int) -> dict[str, dict[str, Value]]:
        """By panel and metric."""
        return {
            panel: {name: from_plain(value, where=panel) for name, value in plain.items()}
            for panel, plain in self.conditions[index].values.items()
        }

    def carried(self, index: int, name: str) -> Value:
        return from_plain(self.conditions[index].carried[name], where=name)

    def rows(self, name: str, indices: Sequence[int]) -> NDArray[np.float64]:
        """Some rows, copied. [indices, genes]"""
        return np.stack([self._arrays[part][name][row] for part, row in (self._place[i] for i in indices)])


@contextmanager
def write_shard(
    folder: Path, score: str, shard: tuple[int, int], n_conditions: int, widths: Mapping[str, int]
) -> Iterator[ShardWriter]:
    """A shard's folder to be filled; it appears when it is complete."""
    with new_folder(folder, kind="shard") as partial:
        writer = ShardWriter(
            {
                name: create_array(partial / f"{name}.npy", "<f8", (n_conditions, width))
                for name, width in widths.items()
            }
        )
        yield writer
        hashes = {}
        for name, array in writer.arrays.items():
            if isinstance(array, np.memmap):
                array.flush()
            hashes[name] = Digest("rows").array(name, array).hexdigest()
        document = Shard(
            score=score, shard=shard[0], shards=shard[1], conditions=writer.conditions, arrays=hashes
        )
        write_json(partial / SHARD_FILE, document.document())


class ShardWriter:
    """Takes conditions one after the other."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.arrays = arrays
        self.conditions: list[PartValues] = []

    def add(self, scored: ScoredCells) -> None:
        """Write one condition."""
        row = len(self.conditions)
        for name, array in self.arrays.items():
            array[row] = scored.rows[name]
        values = {
            panel: {name: to_plain(value) for name, value in named.items()}
            for panel, named in scored.values.items()
        }
        carried = {name: to_plain(value) for name, value in scored.carried.items()}
        self.conditions.append(PartValues(index=scored.index, values=values, carried=carried))


def read_parts(folders: Sequence[Path], score: str, wanted: Sequence[int]) -> Parts:
    """Put shards together: all of one score, each condition once, none missing, none changed."""
    conditions: dict[int, PartValues] = {}
    place: dict[int, tuple[int, int]] = {}
    arrays = []
    for number, folder in enumerate(folders):
        shard = Shard.read(read_json(folder / SHARD_FILE, "shard"), where=folder / SHARD_FILE)
        if shard.score != score:
            raise HarnessError(
                "a shard belongs to another score",
                where=folder,
                got=shard.score,
                expected=score,
                mend="put together shards of one predictions file, one task and one version of the code",
            )
        arrays.append({name: _open(folder, name, expected) for name, expected in shard.arrays.items()})
        for row, one in enumerate(shard.conditions):
            if one.index in conditions:
                raise HarnessError("a condition stands in two shards", where=folder, got=one.index)
            conditions[one.index], place[one.index] = one, (number, row)
    missing = sorted(set(wanted) - conditions.keys())
    if missing:
        raise HarnessError(
            f"{len(missing)} of {len(wanted)} conditions are in no shard",
            where=", ".join(str(folder) for folder in folders[:3]),
            got=f"{len(folders)} shards",
            mend="score the missing shards; each leaves a folder shard-K-of-N",
        )
    return Parts(conditions, tuple(arrays), place)


def _open(folder: Path, name: str, expected: str) -> NDArray[np.float64]:
    path = folder / f"{name}.npy"
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise changed(path, got=error, expected="a plain array") from None
    found = Digest("rows").array(name, array).hexdigest()
    if found != expected:
        raise changed(path, got=found, expected=expected)
    return np.asarray(array) if array.nbytes < BLOCK_BYTES else array
