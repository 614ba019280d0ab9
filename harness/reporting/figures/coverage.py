"""What conformal intervals cover, context by context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.svg import absent


class ContextCoverage(NamedTuple):
    """One context's share of covered truth, how many conditions it rests on, and the intervals' mean width."""

    context: str
    covered: float | None
    n: int
    width: float | None = None


def coverage_by_context(
    rows: Sequence[ContextCoverage],
    *,
    promised: float,
    title: str = "Conformal coverage by context",
    reason: str = "",
) -> Markup:
    """One row a context: the covered share as a dot against the promised share, n and the width in words."""
    return absent(title, reason or "not drawn yet")
