"""Learning curves from `diagnostics.json`: a submission wrote it, so whatever has another form is passed over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.reporting.scorecard.sheet import Curve, Training

MOST_CURVES = 6
MOST_POINTS = 400
MOST_FACTS = 16
LONGEST = 80


def training_of(diagnostics: Any) -> Training | None:
    """What can be drawn and said of a training; None where nothing was left, or nothing that is understood."""
    if not isinstance(diagnostics, Mapping):
        return None
    told = diagnostics.get("curves")
    curves = [
        curve
        for name, one in (told.items() if isinstance(told, Mapping) else ())
        if (curve := _curve(str(name), one)) is not None
    ]
    facts = [
        (str(name)[:LONGEST], _said(value))
        for name, value in sorted(diagnostics.items(), key=lambda pair: str(pair[0]))
        if isinstance(value, (str, int, float, bool))
    ]
    if not curves and not facts:
        return None
    best = diagnostics.get("best_step")
    return Training(tuple(curves[:MOST_CURVES]), _number(best), tuple(facts[:MOST_FACTS]))


def _curve(name: str, told: Any) -> Curve | None:
    if not isinstance(told, Mapping):
        return None
    steps, values = told.get("steps"), told.get("values")
    if not isinstance(steps, list) or not isinstance(values, Mapping):
        return None
    numbers = [_number(step) for step in steps]
    if not numbers or any(step is None for step in numbers):
        return None
    keep = range(0, len(numbers), math.ceil(len(numbers) / MOST_POINTS))
    series = {
        str(key)[:LONGEST]: tuple(_number(column[i]) for i in keep)
        for key, column in list(values.items())[:MOST_CURVES]
        if isinstance(column, list) and len(column) == len(numbers)
    }
    if not series:
        return None
    return Curve(name[:LONGEST], tuple(step for i in keep if (step := numbers[i]) is not None), series)


def _number(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if known and math.isfinite(value) else None


def _said(value: str | float | bool) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
