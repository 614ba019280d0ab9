"""What one scored file says of every condition and of the task: arrays to do statistics on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.errors import HarnessError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Scored(NamedTuple):
    """A condition that was scored."""

    context: str
    perturbation: str
    covariates: str
    kind: str
    """`reported`, `iid`, `calib`."""
    stratum: str
    n: int
    """Its test cells."""


@dataclass(frozen=True)
class ScoreTable:
    """Values of every condition and of the whole task, by `panel.metric`."""

    conditions: tuple[Scored, ...]
    """In the order of (context, perturbation, covariates, kind)."""
    values: dict[str, Floats]
    """Per metric, one value per condition; NaN where it is undefined. [conditions] each"""
    overall: dict[str, float]
    """Per metric the value of the task, reported conditions only; NaN where it is undefined."""

    def of_kind(self, kind: str = "reported") -> ScoreTable:
        """Only the conditions of a kind; the values of the task stay."""
        keep = np.array([one.kind == kind for one in self.conditions], np.bool_)
        chosen = tuple(one for one in self.conditions if one.kind == kind)
        return ScoreTable(chosen, {name: column[keep] for name, column in self.values.items()}, self.overall)

    @cached_property
    def contexts(self) -> Ints:
        """The context of each condition, as a number. [conditions]"""
        return _codes([one.context for one in self.conditions])

    @cached_property
    def perturbations(self) -> Ints:
        """The perturbation of each condition, as a number. [conditions]"""
        return _codes([one.perturbation for one in self.conditions])

    def matrix(self, metrics: Sequence[str]) -> Floats:
        """Some metrics side by side. [conditions, metrics]"""
        return np.stack([self.values[name] for name in metrics], axis=1)

    @classmethod
    def of(cls, table: pa.Table) -> ScoreTable:
        """From the long table of a run (`metrics.parquet`)."""
        columns = table.to_pydict()
        rows = range(table.num_rows)
        level, subset = columns["level"], columns["subset"]
        name = [
            f"{panel}.{metric}" for panel, metric in zip(columns["panel"], columns["metric"], strict=True)
        ]
        value = [np.nan if one is None else one for one in columns["value"]]
        of_row = {
            i: Scored(
                columns["context"][i],
                columns["perturbation"][i],
                columns["covariates"][i] or "",
                subset[i],
                columns["stratum"][i] or "",
                columns["n"][i] or 0,
            )
            for i in rows
            if level[i] == "condition"
        }
        conditions = tuple(sorted(set(of_row.values())))
        place = {one: i for i, one in enumerate(conditions)}
        values: dict[str, Floats] = {}
        for i, one in of_row.items():
            values.setdefault(name[i], np.full(len(conditions), np.nan))[place[one]] = value[i]
        overall = {name[i]: value[i] for i in rows if level[i] == "global" and subset[i] == "reported"}
        return cls(conditions, values, overall)

    @classmethod
    def read(cls, path: Path) -> ScoreTable:
        """From a `metrics.parquet` file."""
        if not path.is_file():
            raise HarnessError("no scores of single conditions here", where=path, got="no such file")
        return cls.of(pq.read_table(path))


def _codes(names: Sequence[str]) -> Ints:
    return np.unique(np.array(names, np.str_), return_inverse=True)[1].astype(np.int64)
