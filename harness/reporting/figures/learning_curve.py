"""How training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def learning_curve(
    title: str,
    steps: Sequence[float],
    values: Mapping[str, Sequence[float | None]],
    *,
    best_step: float | None = None,
    reason: str = "",
) -> Markup:
    """Each quantity over the steps (a curve of `diagnostics.json`), the chosen step marked."""
    return absent(title, reason or "not drawn yet")
