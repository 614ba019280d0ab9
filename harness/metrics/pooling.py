"""One ratio for many conditions: sums above and below, so that conditions with next to no effect cannot decide it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.metrics.card import Undefined, Value


def ratio_of_sums(parts: Sequence[tuple[float, float]], nothing_below: str) -> Value:
    """Σ numerators / Σ denominators; it does not exist, for the reason given, unless something positive is below."""
    denominator = math.fsum(below for _, below in parts)
    if denominator <= 0:
        return Undefined(nothing_below)
    return math.fsum(above for above, _ in parts) / denominator
