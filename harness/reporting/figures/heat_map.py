"""A table of numbers as shades: contexts across, perturbations down."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def heat_map(  # noqa: PLR0913 (a picture's words)
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    higher_is_better: bool | None,
    unit: str = "",
    reason: str = "",
) -> Markup:
    """Shades from worse to better with the number in each cell; an unknown cell is hatched and says so."""
    return absent(title, reason or "not drawn yet")
