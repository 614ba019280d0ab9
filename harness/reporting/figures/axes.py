"""The frame of a picture with two axes, its legend and its marks: each series differs in colour, dash and shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.svg import (
    DASHES,
    SERIES,
    SIZE,
    Scale,
    element,
    line,
    path,
    place,
    short,
    text,
    ticks,
)

WIDTH, HEIGHT = 340.0, 260.0
LETTER = SIZE * 0.62  # the width of one, in the widest of the usual fonts
SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring")


class Box(NamedTuple):
    """Where the data are drawn."""

    left: float
    top: float
    right: float
    bottom: float


def box(*, width: float = WIDTH, height: float = HEIGHT, legend: int = 0) -> Box:
    """The room that is left beside the axes' words and `legend` rows below them."""
    return Box(46, 10, width - 10, height - 38 - 16 * legend)


def horizontal(frame: Box, scale: Scale, label: str, at: Sequence[float] | None = None) -> Markup:
    """The axis below: fine lines at round numbers, the numbers, and what they are."""
    shown = ticks(scale.low, scale.high) if at is None else at
    return Markup("").join(
        (
            *(line(scale(one), frame.top, scale(one), frame.bottom) for one in shown),
            *(text(short(one), scale(one), frame.bottom + 14, anchor="middle", muted=True) for one in shown),
            text(label, (frame.left + frame.right) / 2, frame.bottom + 30, anchor="middle"),
        )
    )


def vertical(frame: Box, scale: Scale, label: str, at: Sequence[float] | None = None) -> Markup:
    """The axis to the left, its label reading upwards."""
    shown = ticks(scale.low, scale.high) if at is None else at
    return Markup("").join(
        (
            *(line(frame.left, scale(one), frame.right, scale(one)) for one in shown),
            *(text(short(one), frame.left - 5, scale(one) + 4, anchor="end", muted=True) for one in shown),
            text(label, 11, (frame.top + frame.bottom) / 2, anchor="middle", turned=True),
        )
    )


def mark(
    x: float, y: float, number: int, *, size: float = 3.2, tip: str = "", hollow: bool = False
) -> Markup:
    """A point of the series `number`, in its colour and shape; `tip` is said when it is pointed at."""
    return shaped(x, y, SHAPES[number % len(SHAPES)], SERIES[number % len(SERIES)], size, tip, hollow=hollow)


def shaped(  # one way to draw each
    x: float, y: float, shape: str, colour: str, size: float = 3.2, tip: str = "", *, hollow: bool = False
) -> Markup:
    """One shape at a place."""
    said = (element("title", tip),) if tip else ()
    filled = not hollow and shape not in ("ring", "cross")
    ink = {"fill": colour} if filled else {"fill": "none", "stroke": colour}
    size += 0.5 * filled  # a stroke would lie half outside
    if shape in ("circle", "ring"):
        return element("circle", *said, cx=x, cy=y, r=size, **ink)
    if shape == "square":
        return element("rect", *said, x=x - size, y=y - size, width=2 * size, height=2 * size, **ink)
    corners = {
        "triangle": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
        "diamond": [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
    }.get(shape)
    if corners is None:
        a, b, c, d = (place(one) for one in (x - size, x + size, y - size, y + size))
        return element("path", *said, d=f"M{a} {c}L{b} {d}M{a} {d}L{b} {c}", stroke_width=1.6, **ink)
    drawn = " ".join(f"{place(x + size * dx)},{place(y + size * dy)}" for dx, dy in corners)
    return element("polygon", *said, points=drawn, **ink)


def curve(points: Sequence[tuple[float, float]], number: int, *, dots: bool = False) -> Markup:
    """The line of the series `number`, in its colour and dash; a single point, or `dots`, as its shape."""
    marks = Markup("").join(mark(x, y, number) for x, y in points if dots or len(points) == 1)
    if len(points) < 2:
        return marks
    return path(points, colour=SERIES[number % len(SERIES)], dash=DASHES[number % len(DASHES)]) + marks


def legend(
    names: Sequence[str], *, y: float, left: float = 46, width: float = WIDTH, lines: bool = True
) -> Markup:
    """The series' names, each beside its line or shape, in rows as `legend_rows` counts them."""
    parts = []
    for number, (name, (row, x)) in enumerate(zip(names, _places(names, left, width), strict=True)):
        at = y + 16 * row
        if lines:
            ink = {"colour": SERIES[number % len(SERIES)], "dash": DASHES[number % len(DASHES)]}
            parts.append(line(x, at - 4, x + 22, at - 4, width=2, **ink))
        else:
            parts.append(mark(x + 14, at - 4, number))
        parts.append(text(name, x + 27, at, cut=34))
    return Markup("").join(parts)


def legend_rows(names: Sequence[str], *, left: float = 46, width: float = WIDTH) -> int:
    """How many rows the legend takes."""
    return max((row for row, _ in _places(names, left, width)), default=-1) + 1


def _places(names: Sequence[str], left: float, width: float) -> list[tuple[int, float]]:
    found, row, x = [], 0, left
    for name in names:
        needed = 27 + LETTER * min(len(name), 34) + 14
        if x > left and x + needed > width:
            row, x = row + 1, left
        found.append((row, x))
        x += needed
    return found
