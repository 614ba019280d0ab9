"""What is known of each row: perturbation, context, batch, covariates, control pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from harness.digest import Digest
from harness.errors import HarnessError

FORBIDDEN = frozenset("\t\n\r\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


class Pool(IntFlag):
    """Control pools of a context. Perturbed rows are in none; `shared-controls` contexts have rows in all three."""

    NONE = 0
    A = 1
    """Model input: training controls and query rows."""
    B = 2
    """Reference of every truth delta."""
    C = 4
    """Replicates, noise ceiling, calibration."""


@dataclass(frozen=True)
class Labels:
    """A column of names: one code per row into sorted, unique levels."""

    codes: NDArray[np.int32]  # [rows]
    levels: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[Any] | pa.Array | pa.ChunkedArray) -> Labels:
        """Encode names; anything that cannot stand in a table cell is refused."""
        array = (
            values
            if isinstance(values, (pa.Array, pa.ChunkedArray))
            else pa.array([str(v) for v in values], pa.string())
        )
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_dictionary(array.type):
            array = array.cast(pa.string())
        if array.null_count:
            raise HarnessError(
                f"{array.null_count} of {len(array)} rows have no name",
                got=f"first in row {int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])}",
                expected="a name in every row",
                mend="fill the gaps in the source, or leave these rows out",
            )
        encoded = array.dictionary_encode()
        names = np.array(encoded.dictionary.to_pylist(), dtype=object)
        order = np.argsort(names.astype(str), kind="stable") if len(names) else np.zeros(0, np.intp)
        rank = np.empty(len(names), np.int32)
        rank[order] = np.arange(len(names), dtype=np.int32)
        levels = tuple(str(names[i]) for i in order)
        refuse_unprintable(levels)
        codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int32)
        return cls(rank[codes] if len(names) else codes, levels)

    @classmethod
    def join(cls, parts: Sequence[Labels]) -> Labels:
        """One column after the other, over the names of all."""
        levels = sorted({level for part in parts for level in part.levels})
        code = {level: i for i, level in enumerate(levels)}
        codes = [np.array([code[level] for level in p.levels], np.int32)[p.codes] for p in parts]
        return cls(np.concatenate(codes), tuple(levels))

    def __len__(self) -> int:
        return len(self.codes)

    def names(self, rows: NDArray[Any] | slice | None = None) -> NDArray[np.object_]:
        """The names themselves, of all rows or of some."""
        return np.array(self.levels, dtype=object)[self.codes if rows is None else self.codes[rows]]

    def take(self, rows: NDArray[Any]) -> Labels:
        """The column of some rows, with the same levels."""
        return Labels(self.codes[rows], self.levels)

    def compact(self) -> Labels:
        """The same names without the levels that no row has, as they read back from disk."""
        used, codes = np.unique(self.codes, return_inverse=True)
        if len(used) == len(self.levels):
            return self
        return Labels(codes.astype(np.int32), tuple(self.levels[code] for code in used))

    def code(self, name: str) -> int:
        """The code of a name, or −1."""
        return self.levels.index(name) if name in self.levels else -1

    def to_arrow(self) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(self.codes), pa.array(self.levels, pa.string()))


Covariate = Labels | NDArray[np.float64]


class Condition(NamedTuple):
    """What was done to a group of cells, and to which cells."""

    context: str
    pert: str
    covariates: tuple[str, ...] = ()
    """Values of the intervention covariates, as text, in the order of `Obs.intervention`."""

    def __str__(self) -> str:
        return " · ".join((self.context, self.pert, *self.covariates))


@dataclass(frozen=True)
class Conditions:
    """The conditions of a dataset and the condition of each perturbed row."""

    of_row: NDArray[np.int32]  # [rows]; −1 for controls
    table: tuple[Condition, ...]
    n_rows: NDArray[np.int64]  # [conditions]

    def rows(self, index: int) -> NDArray[np.int64]:
        """The rows of one condition."""
        return np.flatnonzero(self.of_row == index)


@dataclass(frozen=True)
class Obs:
    """The table of rows."""

    pert: Labels
    context: Labels
    batch: Labels
    pool: NDArray[np.uint8]  # [rows], bits of Pool; 0 for perturbed rows
    is_control: NDArray[np.bool_]  # [rows]
    covariates: Mapping[str, Covariate]
    intervention: tuple[str, ...]
    """The covariates that describe the intervention (dose, time, …) and are told to submissions."""

    def __len__(self) -> int:
        return len(self.is_control)

    def in_pool(self, pool: Pool) -> NDArray[np.bool_]:
        """Which rows belong to a pool."""
        return np.asarray((self.pool & pool.value) != 0)

    def covariate_text(self, name: str) -> Labels:
        """A covariate as names; numbers are written so that they read back exactly."""
        column = self.covariates[name]
        if isinstance(column, Labels):
            return column
        values, inverse = np.unique(column, return_inverse=True)
        return _relabel([number_text(v) for v in values], inverse)

    def conditions(self) -> Conditions:
        """Group the perturbed rows by (context, perturbation, intervention covariates)."""
        columns = [self.context, self.pert, *(self.covariate_text(name) for name in self.intervention)]
        key = np.zeros(len(self), np.int64)
        for column in columns:
            key = key * max(1, len(column.levels)) + column.codes
        perturbed = np.flatnonzero(~self.is_control)
        _, first, inverse, counts = np.unique(
            key[perturbed], return_index=True, return_inverse=True, return_counts=True
        )
        of_row = np.full(len(self), -1, np.int32)
        of_row[perturbed] = inverse
        table = []
        for row in perturbed[first]:
            context, pert, *rest = (column.levels[column.codes[row]] for column in columns)
            table.append(Condition(context, pert, tuple(rest)))
        return Conditions(of_row, tuple(table), counts.astype(np.int64))


def number_text(value: float) -> str:
    """A number as the shortest text that reads back to it; whole numbers without a point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def refuse_unprintable(names: Iterable[str]) -> None:
    """Names travel through plain tables, so they may not hold tabs, line ends or null characters, nor be empty."""
    bad = [name for name in names if not name or FORBIDDEN.intersection(name)]
    if bad:
        raise HarnessError(
            f"{len(bad)} name{'s' if len(bad) > 1 else ''} cannot stand in a table",
            got=", ".join(repr(name) for name in bad[:3]),
            expected="non-empty text without tabs, line ends or null characters",
            mend="rename them in the source",
        )


def hash_obs(obs: Obs, cell_ids: pa.Array) -> str:
    """Content hash of the table of rows."""
    digest = Digest("obs")
    columns: dict[str, Covariate] = {"pert_id": obs.pert, "context_id": obs.context, "batch_id": obs.batch}
    columns |= {f"covariate:{name}": column for name, column in obs.covariates.items()}
    for name in sorted(columns):
        column = columns[name]
        if isinstance(column, Labels):
            digest.strings(f"{name}.levels", column.levels).array(name, column.codes)
        else:
            digest.array(name, column)
    digest.array("pool", obs.pool).array("is_control", obs.is_control)
    digest.strings("intervention", obs.intervention)
    digest.array("cell_id.length", np.asarray(pc.binary_length(cell_ids), np.int32))
    text = "".join(cell_ids.to_pylist()).encode() if len(cell_ids) else b""
    return digest.field("cell_id", text).hexdigest()


def _relabel(texts: list[str], codes: NDArray[Any]) -> Labels:
    order = np.argsort(np.array(texts, dtype=str), kind="stable")
    rank = np.empty(len(texts), np.int32)
    rank[order] = np.arange(len(texts), dtype=np.int32)
    return Labels(rank[codes].astype(np.int32), tuple(texts[i] for i in order))
