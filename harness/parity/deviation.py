"""How far a recomputed metric is from what the reference program gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """One metric of one case."""

    case: str
    metric: str
    worst: float
    """Largest absolute deviation; infinite where one side has a value and the other has none."""
    tolerance: float
    compared: int
    skipped: int = 0
    """Values that are not compared; `note` says why."""
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.worst <= self.tolerance
