"""Differences with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.svg import absent


class Difference(NamedTuple):
    """One row: a difference that is above 0 where the first is better, with its interval and what is said of it."""

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    said: str = ""


def forest(title: str, rows: Sequence[Difference], *, worse: str, better: str, reason: str = "") -> Markup:
    """Each row's interval against the line of no difference; better is to the right; each row on its own scale of standard widths."""
    return absent(title, reason or "not drawn yet")
