"""Where the right answer stood among all candidates."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def rank_histogram(
    title: str,
    ranks: Sequence[float | None],
    *,
    bins: int = 10,
    lower_is_better: bool = True,
    reason: str = "",
) -> Markup:
    """Conditions by normalised rank in [0, 1], the best rank to the right whatever its number, with the level line of chance."""
    return absent(title, reason or "not drawn yet")
