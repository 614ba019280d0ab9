"""What an atlas says: the content of its page and of `atlas.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Condition:
    """One condition that was asked of every method, and how new it was."""

    context: str
    perturbation: str
    covariates: str
    cells: int
    seen: str
    """What training showed of the perturbation."""
    context_seen: bool
    distance: float | None
    """To the nearest training conditions."""
    effect: float | None
    """Root mean square over genes of the observed delta."""


@dataclass(frozen=True)
class Method:
    """A submission, or the best baseline, on all conditions."""

    name: str
    runs: tuple[str, ...]
    """One a training seed; none of a control."""
    values: tuple[float | None, ...]
    """By condition, mean over seeds."""
    mean: float | None
    control: bool = False


@dataclass(frozen=True)
class Cell:
    """A method within a class of conditions."""

    n: int
    mean: float | None
    median: float | None
    better: float | None
    """Share of them in which it is better than the baseline; none of the baseline itself."""


@dataclass(frozen=True)
class Table:
    """Methods by classes of conditions, along one way of being new."""

    axis: str
    title: str
    note: str
    classes: tuple[str, ...]
    sizes: tuple[int, ...]
    """Conditions in each."""
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """By method, the baseline first."""


@dataclass(frozen=True)
class Expected:
    """How wrong a method has been where conditions were about as new."""

    name: str
    n: int
    median: float | None
    low: float | None
    high: float | None
    """The tenth and the ninetieth percentile."""


@dataclass(frozen=True)
class Answer:
    """A perturbation that was asked about: how new it is, and what has been tested that is like it."""

    perturbation: str
    context: str
    targets: tuple[str, ...]
    seen: str
    context_seen: bool
    distance: float
    more_novel_than: float
    """Share of the tested conditions that lie nearer to training."""
    beyond: bool
    """Whether it lies farther from training than anything that was tested."""
    like_it: tuple[Condition, ...]
    expected: tuple[Expected, ...]


@dataclass(frozen=True)
class Atlas:
    """Everything that the page shows."""

    task: str
    eval_split: str
    split_hash: str
    metric: str
    higher_is_better: bool
    baseline: str | None
    conditions: tuple[Condition, ...]
    methods: tuple[Method, ...]
    """The baseline first, the others from best to worst."""
    tables: tuple[Table, ...]
    left_out: tuple[tuple[str, str], ...]
    """Runs that could not be placed, and why."""
    answer: Answer | None = None

    def document(self) -> dict[str, Any]:
        """The content of `atlas.json`."""
        return {"schema": 1} | asdict(self)
