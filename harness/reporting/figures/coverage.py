"""What conformal intervals cover, context by context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.axes import WIDTH, Box, horizontal, mark
from harness.reporting.figures.svg import Scale, absent, known, line, picture, short, text

ROW, LEFT, RIGHT, MOST = 22.0, 96.0, 70.0, 40


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
    if not any(known(row.covered) for row in rows):
        return absent(title, reason or "no coverage was computed")
    shown, more = rows[:MOST], len(rows) - MOST
    height = ROW * len(shown) + 44 + (ROW if more > 0 else 0)
    frame = Box(LEFT, 6, WIDTH - RIGHT, 6 + ROW * len(shown))
    x = Scale(0, 1, frame.left, frame.right)
    covered = [row for row in rows if row.covered is not None and known(row.covered)]
    least = min(covered, key=lambda row: row.covered or 0)
    return picture(
        title,
        f"Promised {short(promised)}. {len(covered)} contexts, least covered {least.context} with {short(least.covered)}.",
        WIDTH,
        height,
        horizontal(frame, x, "share covered", at=(0, 0.25, 0.5, 0.75, 1)),
        line(x(promised), frame.top, x(promised), frame.bottom, colour="currentColor", width=1.5, dash="4 3"),
        *(
            _row(row, frame, x, frame.top + ROW * (number + 0.5), promised)
            for number, row in enumerate(shown)
        ),
        text(f"and {more} contexts more", LEFT, height - 4, muted=True) if more > 0 else Markup(""),
    )


def _row(row: ContextCoverage, frame: Box, x: Scale, y: float, promised: float) -> Markup:
    name = text(row.context, frame.left - 6, y + 4, anchor="end", cut=13)
    if row.covered is None or not known(row.covered):
        return name + text(f"unknown, n {row.n}", frame.left + 4, y + 4, muted=True)
    width = f", ±{short(row.width, 2)}" if known(row.width) else ""
    arm = line(x(promised), y, x(row.covered), y, colour="var(--c1)", width=2)
    tip = f"{row.context}: {short(row.covered)} covered of {short(promised)} promised, {row.n} conditions"
    dot = mark(x(row.covered), y, 0, size=4, tip=tip)
    return name + arm + dot + text(f"n {row.n}{width}", frame.right + 6, y + 4, muted=True)
