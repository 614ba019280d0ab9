"""A score between two controls, on one line."""

from __future__ import annotations

from markupsafe import Markup

from harness.reporting.figures.svg import absent

LOW, HIGH = -0.5, 1.5  # the same for each bullet of a page, so that they can be read down the column


def bullet(  # noqa: PLR0913 (a number, its interval and the words beside it)
    label: str,
    scaled: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    raw: str = "",
    reason: str = "",
) -> Markup:
    """A *scaled* score from negative control (0) to positive control (1), with its interval; better is to the right.

    `low` and `high` are the interval's ends in scaled units, in either order; `raw` is the unscaled value in words, for the description;
    `reason` is said in place of the picture when there is no scaled score. What lies beyond −0.5 … 1.5 is drawn
    at the edge as an arrow, with its number in the description.
    """
    return absent(label, reason or "not drawn yet")
