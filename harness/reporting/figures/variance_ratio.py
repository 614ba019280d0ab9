"""Do predictions vary as much as the truth does?"""

from __future__ import annotations

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def variance_ratio(
    ratio: float | None,
    *,
    low: float = 0.1,
    high: float = 3.0,
    title: str = "Variance ratio",
    reason: str = "",
) -> Markup:
    """The ratio on a logarithmic line from collapse to exaggeration, 1 and the permitted range marked."""
    return absent(title, reason or "not drawn yet")
