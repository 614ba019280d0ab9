"""The points of a line that can be drawn: an unknown number is left out, never drawn as 0."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Points = list[tuple[float, float]]


def drawn_series(across: Sequence[float], up: Mapping[str, Sequence[float | None]]) -> dict[str, Points]:
    """By name the points whose both numbers are finite; a name without any is left out."""
    found = {}
    for name, values in up.items():
        points = [
            (float(x), float(y))
            for x, y in zip(across, values, strict=False)
            if y is not None and math.isfinite(x) and math.isfinite(y)
        ]
        if points:
            found[name] = points
    return found
