"""Values of many conditions at once, with the reason where one does not exist."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Undefined, Value

NOT_FINITE = "the value is not a finite number"


@dataclass(frozen=True)
class Scores:
    """One value per condition; NaN where it is undefined, with the reason by position."""

    values: NDArray[np.float64]  # [conditions]
    reasons: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: NDArray[np.float64], undefined: Mapping[str, NDArray[np.bool_]]) -> Scores:
        """Values without those that do not exist; where several reasons hold, the first is told."""
        reasons: dict[int, str] = {}
        for reason, where in undefined.items():
            for position in np.flatnonzero(where).tolist():
                reasons.setdefault(position, reason)
        kept = np.array(values, np.float64)
        kept[list(reasons)] = np.nan
        return cls(kept, reasons)

    def each(self) -> list[Value]:
        """One `Value` per condition."""
        return [
            Undefined(self.reasons[i]) if i in self.reasons else defined(value)
            for i, value in enumerate(self.values.tolist())
        ]


def defined(value: float) -> Value:
    """A number as a `Value`: what is not finite does not exist."""
    return float(value) if math.isfinite(value) else Undefined(NOT_FINITE)
