"""What controls scored: per control one table of values per replicate, and what replicates say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.controls.catalogue import ControlCard
from harness.errors import UnknownNameError
from harness.metrics.card import cards
from harness.scoring.score_table import Floats, ScoreTable


@dataclass(frozen=True)
class ControlScore:
    """One control: its scores, or the numbers of a check, or why there is neither."""

    card: ControlCard
    tables: tuple[ScoreTable, ...] = ()
    """One per replicate: a halving, a factor of the scale sweep, the two oracles; of all others one."""
    labels: tuple[str, ...] = ()
    """What each table is of, where that is not its number: the factors of the sweep, `effects` and `cells`."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Of a check: its statistic, p, n, …"""
    reason: str | None = None
    """Why it does not apply here; then tables and numbers are empty."""

    @property
    def replicates(self) -> Mapping[str, ScoreTable]:
        """The tables by label."""
        labels = self.labels or tuple(str(number) for number in range(1, len(self.tables) + 1))
        return dict(zip(labels, self.tables, strict=True))

    def overall(self, metric: str) -> float:
        """The value of the task, mean over replicates; NaN where it is undefined in one of them."""
        return float(np.mean([one.overall.get(metric, np.nan) for one in self.tables or (_NOTHING,)]))

    def sd(self, metric: str) -> float:
        """Standard deviation of the task's value over replicates; NaN for fewer than two."""
        found = [one.overall.get(metric, np.nan) for one in self.tables]
        return float(np.std(found, ddof=1)) if len(found) > 1 else float("nan")

    def values(self, metric: str, kind: str = "reported") -> Floats:
        """Per condition of a kind, mean over replicates; in the order of `tables[0].of_kind(kind)`. [conditions]"""
        return np.asarray(np.mean([one.of_kind(kind).values[metric] for one in self.tables], axis=0))


@dataclass(frozen=True)
class ControlSet:
    """Controls by name."""

    scores: Mapping[str, ControlScore]

    def __getitem__(self, name: str) -> ControlScore:
        if name not in self.scores:
            raise UnknownNameError("control", name, self.scores)
        return self.scores[name]

    def get(self, name: str) -> ControlScore | None:
        """A control, or None where it is not here."""
        return self.scores.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.scores

    def __iter__(self) -> Iterator[ControlScore]:
        return iter(self.scores.values())

    def __or__(self, other: ControlSet) -> ControlSet:
        """Both together, e.g. those of the task and those of a submission."""
        return ControlSet({**self.scores, **other.scores})

    def of_kind(self, kind: str) -> tuple[ControlScore, ...]:
        """The controls of a kind that have scores."""
        return tuple(one for one in self if one.card.kind == kind and one.tables)

    def strongest(self, metric: str, kind: str = "negative") -> ControlScore | None:
        """The control of a kind with the best value of the task; None where it is defined for none or ranks nothing."""
        card = cards()[metric]
        if card.direction == "none":
            return None
        best: ControlScore | None = None
        for one in self.of_kind(kind):
            value = one.overall(metric)
            if np.isnan(value):
                continue
            if best is None or card.better(value, best.overall(metric)):
                best = one
        return best


_NOTHING = ScoreTable((), {}, {})
