"""What is gained by answering only where the submission is sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from harness.reporting.figures.svg import absent


def risk_coverage(
    coverage: Sequence[float],
    curves: Mapping[str, Sequence[float | None]],
    *,
    title: str = "Risk–coverage",
    reason: str = "",
) -> Markup:
    """Relative risk of the conditions kept, against the share kept; one line a key (`risk`, `predicted_norm`, `oracle`, `random`)."""
    return absent(title, reason or "not drawn yet")
