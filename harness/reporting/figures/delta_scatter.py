"""Predicted against observed change, gene by gene."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def delta_scatter(
    title: str,
    observed: Sequence[float],
    predicted: Sequence[float],
    *,
    genes: Sequence[str] | None = None,
    note: str = "",
    reason: str = "",
) -> Markup:
    """Each gene's predicted delta (up) against its observed delta (right) on one scale, with the diagonal and zero.

    `genes` are named in tooltips, the strongest few beside their dots; without names the dots stay nameless. `note` stands under the title.
    """
    return absent(title, reason or "not drawn yet")
