"""Values of one metric, compared one by one with what a reference program gave."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.metrics.card import Undefined, Value
from harness.parity.deviation import Deviation


@dataclass
class Comparison:
    """Collects the values of one metric of one case. |a − b| / (scale + |b|) is held against the tolerance."""

    case: str
    metric: str
    tolerance: float
    scale: float
    """Absolute over relative tolerance."""
    worst: float = 0.0
    compared: int = 0
    skipped: int = 0
    notes: set[str] = field(default_factory=set)

    def add(self, got: Value, expected: float) -> None:
        """Compare one value; NaN is expected where none exists."""
        self.compared += 1
        self.worst = max(
            self.worst, self._deviation(math.nan if isinstance(got, Undefined) else got, expected)
        )

    def add_all(self, got: Iterable[Value], expected: Iterable[float]) -> None:
        """Compare many values."""
        for a, b in zip(got, expected, strict=True):
            self.add(a, b)

    def skip(self, why: str, n: int = 1) -> None:
        """Leave values out, and say why."""
        self.skipped += n
        self.notes.add(why)

    def result(self) -> Deviation:
        """What was found."""
        note = "; ".join(sorted(self.notes))
        return Deviation(
            self.case, self.metric, self.worst, self.tolerance, self.compared, self.skipped, note
        )

    def _deviation(self, got: float, expected: float) -> float:
        if got == expected or (math.isnan(got) and math.isnan(expected)):
            return 0.0
        if not (math.isfinite(got) and math.isfinite(expected)):
            return math.inf
        return abs(got - expected) / (self.scale + abs(expected))
