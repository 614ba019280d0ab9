"""Differences with their intervals, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.axes import WIDTH, Box, horizontal, shaped
from harness.reporting.figures.svg import (
    Scale,
    absent,
    element,
    known,
    line,
    picture,
    scale_over,
    short,
    text,
)

ROW, EDGE = 34.0, 12.0


class Difference(NamedTuple):
    """One row: a difference that is above 0 where the first is better, with its interval and what is said of it."""

    label: str
    estimate: float | None
    low: float | None
    high: float | None
    said: str = ""


def forest(title: str, rows: Sequence[Difference], *, worse: str, better: str, reason: str = "") -> Markup:
    """Each row's interval against the line of no difference, all on one scale; better is to the right.

    A filled diamond is an interval that lies wholly on one side of 0, a hollow one holds it.
    """
    ends = [
        number
        for row in rows
        for number in (row.estimate, row.low, row.high)
        if number is not None and known(number)
    ]
    if not ends:
        return absent(title, reason or "nothing could be compared")
    frame = Box(EDGE, 4, WIDTH - EDGE, 8 + ROW * len(rows))
    x = scale_over([0.0, *ends], frame.left, frame.right)
    apart = sum(_apart(row) for row in rows)
    return picture(
        title,
        f"{len(rows)} differences with intervals, {apart} of them wholly on one side of zero; to the right {better}.",
        WIDTH,
        frame.bottom + 42,
        horizontal(frame, x, ""),
        line(x(0), frame.top, x(0), frame.bottom, colour="currentColor", width=1.5),
        *(_row(row, x, frame, frame.top + ROW * number + 14) for number, row in enumerate(rows)),
        text(f"← {worse}", frame.left, frame.bottom + 34, cut=24),
        text(f"{better} →", frame.right, frame.bottom + 34, anchor="end", cut=24),
    )


def _apart(row: Difference) -> bool:
    return row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)


def _row(row: Difference, x: Scale, frame: Box, y: float) -> Markup:
    room = min(len(row.said), 26)
    name = text(row.label, frame.left, y, cut=max(46 - room, 16), over=True)
    said = text(row.said, frame.right, y, anchor="end", muted=True, cut=26, over=True)
    y += 11
    if row.estimate is None or not known(row.estimate):
        return name + said
    bar = Markup("")
    if row.low is not None and row.high is not None and known(row.low) and known(row.high):
        bar = line(x(row.low), y, x(row.high), y, colour="var(--c1)", width=3)
    tip = f"{row.label}: {short(row.estimate)} [{short(row.low)}, {short(row.high)}] {row.said}".rstrip()
    back = shaped(x(row.estimate), y, "diamond", "var(--bg)", 4.6)
    dot = shaped(x(row.estimate), y, "diamond", "var(--c1)", 4.2, tip, hollow=not _apart(row))
    return name + said + element("g", bar, back, dot)
