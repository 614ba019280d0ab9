"""What gates look at, what a gate says, and paired comparisons in a metric's own direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from harness.controls.control_set import ControlSet
from harness.metrics.card import Card, cards
from harness.scoring.score_table import Floats, ScoreTable
from harness.statistics.intervals import Interval, paired_intervals
from harness.verdicts.direction import goodness
from harness.verdicts.passports import Passport

State = Literal["pass", "fail", "not applicable"]
NO_CONTROLS = "the run was scored without controls"
PRIMARY = ("calibrated.wmse", "calibrated.mse")
"""The metric that carries claims and gates, and the one for profiles, which have no DE scores to weigh genes by."""


@dataclass(frozen=True)
class Gate:
    """The outcome of one gate."""

    name: str
    state: State
    number: float | None
    reason: str
    holds: bool = False
    """Whether failing it puts a run on hold: a leak is suspected."""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        return self.holds and self.state == "fail"

    def document(self) -> dict[str, Any]:
        """The gate as a JSON object; what does not exist is null."""
        return asdict(self) | {"number": _finite(self.number), "details": _finite(dict(self.details))}


def _finite(value: Any) -> Any:
    """A JSON value in which numbers that do not exist are null."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Case:
    """One scored run with everything that it is judged by."""

    document: Mapping[str, Any]
    """Its `metrics.json`."""
    table: ScoreTable
    """Its `metrics.parquet`."""
    controls: ControlSet
    """Those of its task and its own."""
    passports: Mapping[str, Passport]
    own: str | None = None
    """The control that this run *is*, a shipped baseline as it was shipped: it is not held against itself."""
    seeds: int = 1

    @property
    def primary(self) -> str:
        """The metric that carries gates here."""
        reported = self.table.of_kind()
        for metric in PRIMARY:
            values = reported.values.get(metric)
            if values is not None and np.isfinite(values).any():
                return metric
        return PRIMARY[0]

    def value(self, panel: str, metric: str) -> float | None:
        """A value of the task; None where it is undefined."""
        found: float | None = self.document[panel]["global"].get(metric, {}).get("value")
        return found

    def why_not(self, panel: str, metric: str) -> str:
        """Why a value of the task is undefined."""
        return str(self.document[panel]["global"].get(metric, {}).get("reason", "it was never computed"))

    def against(self, metric: str, other: ScoreTable, *, resamples: int = 0) -> Interval:
        """How much better this run is than another in one metric, condition by condition; above 0 is better."""
        ours, theirs = paired(self.table, other, metric)
        card = cards()[metric]
        return _interval(self.table, goodness(card, ours), goodness(card, theirs), resamples)

    def mean(self, metric: str) -> Interval:
        """The mean of one metric over reported conditions, as it stands."""
        return _interval(self.table, self.table.of_kind().values[metric], None, 0)


def paired(table: ScoreTable, other: ScoreTable, metric: str) -> tuple[Floats, Floats]:
    """The values of the same reported conditions in two tables; NaN where the other lacks one. [conditions] each"""
    ours, theirs = table.of_kind(), other.of_kind()
    found = dict(zip((one[:3] for one in theirs.conditions), _values(theirs, metric), strict=True))
    return _values(ours, metric), np.array(
        [found.get(one[:3], np.nan) for one in ours.conditions], np.float64
    )


def card_of(metric: str) -> Card:
    """The card of `panel.metric`."""
    return cards()[metric]


def passed(name: str, ok: bool, number: float | None, reason: str, **more: Any) -> Gate:
    """A gate that applies."""
    return Gate(name, "pass" if ok else "fail", number, reason, **more)


def skipped(name: str, reason: str, **more: Any) -> Gate:
    """A gate that does not apply here."""
    return Gate(name, "not applicable", None, reason, **more)


def _values(table: ScoreTable, metric: str) -> Floats:
    return table.values.get(metric, np.full(len(table.conditions), np.nan))


def _interval(table: ScoreTable, ours: Floats, theirs: Floats | None, resamples: int) -> Interval:
    reported = table.of_kind()
    return paired_intervals(
        ours[:, None],
        None if theirs is None else theirs[:, None],
        reported.contexts,
        reported.perturbations,
        resamples=resamples,
    )[0]
