"""What intervals promise and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def reliability(
    nominal: Sequence[float],
    observed: Mapping[str, Sequence[float | None]],
    *,
    title: str = "Reliability: observed against nominal coverage",
    reason: str = "",
) -> Markup:
    """Observed coverage of central intervals against nominal, one line a name (`reported`, `iid`), with the diagonal of a perfect forecast."""
    return absent(title, reason or "not drawn yet")
