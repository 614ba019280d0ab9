"""How wrong, by how new: one dot a condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.svg import absent


class Dot(NamedTuple):
    """One condition of one series: where it stands, what it is called, and its class (which shape it takes)."""

    x: float
    y: float
    name: str = ""
    kind: str = ""


def error_by_novelty(  # noqa: PLR0913 (a picture's words)
    title: str,
    series: Sequence[tuple[str, Sequence[Dot]]],
    *,
    x_label: str,
    y_label: str,
    reference: float | None = None,
    reason: str = "",
) -> Markup:
    """Dots of each series with its running median; `reference` is a level line; shapes tell the kinds, colours the series."""
    return absent(title, reason or "not drawn yet")
