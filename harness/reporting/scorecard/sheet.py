"""What a scorecard holds: everything that its page shows, and nothing else. As JSON it is `scorecard.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["good", "warn", "bad", "none", "plain"]
"""Of a badge or a light; the words beside it say the same."""
Outcome = Literal[
    "better", "worse", "as good", "open", "underpowered", "uninformative", "undefined", "not ranked"
]
SCHEMA = 1


@dataclass(frozen=True)
class Badge:
    """One word on the run."""

    text: str
    kind: Kind
    title: str = ""


@dataclass(frozen=True)
class Sentence:
    """The verdict in words, compiled from what was found."""

    text: str
    kind: Kind
    remarks: tuple[str, ...] = ()
    """What a reader has to know beside it."""


@dataclass(frozen=True)
class Score:
    """One metric of the task: its value, where it stands between the controls, and beside the best of them."""

    key: str
    """`panel.metric`."""
    panel: str
    metric: str
    description: str
    direction: str
    """`higher`, `lower`, `target`, `none`."""
    optimum: float | None
    may_rank: bool
    value: float | None
    reason: str | None
    """Why there is no value, or why some conditions have none."""
    n: int | None
    """Conditions behind the value; None where it is one value of the whole task."""
    low: float | None = None
    """The 95 % interval of the value."""
    high: float | None = None
    no_interval: str | None = None
    negative: float | None = None
    positive: float | None = None
    positive_sd: float | None = None
    scaled: float | None = None
    scaled_low: float | None = None
    scaled_high: float | None = None
    not_scaled: str | None = None
    passport: str | None = None
    """`passport`, `uninformative`; None where it was not judged."""
    passport_reason: str | None = None
    control: str | None = None
    """The strongest negative control."""
    of_control: float | None = None
    difference: float | None = None
    """To that control, paired over conditions, above 0 where the run is better."""
    difference_low: float | None = None
    difference_high: float | None = None
    method: str | None = None
    p: float | None = None
    q: float | None = None
    """p adjusted within the panel, or within the headline."""
    family: int | None = None
    group: int | None = None
    """Rank group among the run and the negative controls."""
    ranks: tuple[int, int] | None = None
    of: int | None = None
    """How many were ranked."""
    outcome: Outcome = "undefined"


@dataclass(frozen=True)
class Level:
    """A table of the values of one panel by context or by perturbation."""

    name: str
    """`per_context`, `per_perturbation`."""
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    """Name, and a value per metric."""
    left_out: int
    """Rows that are in `metrics.parquet` alone."""
    metrics_left_out: int


@dataclass(frozen=True)
class PanelSheet:
    """One panel."""

    name: str
    title: str
    scores: tuple[Score, ...]
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Supported:
    """Which rows the submission itself spoke of."""

    native: float
    extension: float
    fallback: float
    scores: tuple[tuple[str, float | None, float | None], ...]
    """Metric, its value over all conditions, over those that the submission supports."""


@dataclass(frozen=True)
class ControlRow:
    """One control with what it scored in the headline, or the numbers of a check."""

    name: str
    kind: str
    description: str
    expected: str
    values: tuple[float | None, ...]
    numbers: Mapping[str, float | None]
    reason: str | None


@dataclass(frozen=True)
class GateRow:
    """One gate."""

    name: str
    state: str
    number: float | None
    reason: str
    held: bool


@dataclass(frozen=True)
class ClaimRow:
    """What may be claimed in one headline metric, or why not."""

    metric: str
    baseline: str
    shown: bool
    text: str


@dataclass(frozen=True)
class Curve:
    """One curve of training, as the submission left it."""

    name: str
    steps: tuple[float, ...]
    values: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Training:
    """What `diagnostics.json` tells of the training."""

    curves: tuple[Curve, ...]
    best_step: float | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Conditions:
    """The primary metric, and the rank of the right answer, condition by condition."""

    metric: str
    higher_is_better: bool | None
    contexts: tuple[str, ...]
    perturbations: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    """[perturbations][contexts]"""
    retrieval: tuple[float | None, ...]
    left_out: int


@dataclass(frozen=True)
class Sheet:
    """A scorecard."""

    run: str
    submission: Mapping[str, Any]
    task: Mapping[str, Any]
    status: Mapping[str, Any]
    verdict: Sentence
    badges: tuple[Badge, ...]
    headline: tuple[Score, ...] = ()
    panels: tuple[PanelSheet, ...] = ()
    supported: Supported | None = None
    uncertainty: Mapping[str, Any] | None = None
    variance: Mapping[str, Any] | None = None
    conditions: Conditions | None = None
    pictures: Mapping[str, Any] | None = None
    """`pictures.json` as scoring left it."""
    variance_ratio: float | None = None
    controls: tuple[ControlRow, ...] = ()
    controls_note: str = ""
    gates: tuple[GateRow, ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    claims_reason: str | None = None
    training: Training | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log: str = ""
    log_left_out: int = 0
    """Bytes of the log that are in `log.txt` alone."""

    def document(self) -> dict[str, Any]:
        """The content of `scorecard.json`; what does not exist is null."""
        found: dict[str, Any] = finite({"schema": SCHEMA, **asdict(self)})
        return found


def finite(value: Any) -> Any:
    """A JSON value in which numbers that do not exist are null."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def known(value: float | None) -> float | None:
    """A number, or None where there is none."""
    return None if value is None or not math.isfinite(value) else float(value)
