"""How wrong, by how new: one dot a condition."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from markupsafe import Markup

from harness.reporting.figures.axes import (
    SHAPES,
    WIDTH,
    box,
    curve,
    horizontal,
    legend,
    legend_rows,
    shaped,
    vertical,
)
from harness.reporting.figures.svg import (
    SERIES,
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

HEIGHT, BINS, FEWEST = 290.0, 5, 3
NEAR = 0.06
"""Of the whole range of novelty."""
MOST = 150
"""Dots of one series; of more conditions every so manieth is drawn, and all count in the medians."""


class Dot(NamedTuple):
    """One condition of one series: where it stands, what it is called, and its class (which shape it takes)."""

    x: float
    y: float
    name: str = ""
    kind: str = ""


def error_by_novelty(
    title: str,
    series: Sequence[tuple[str, Sequence[Dot]]],
    *,
    x_label: str,
    y_label: str,
    reference: float | None = None,
    reason: str = "",
) -> Markup:
    """Dots of each series with the medians of its fifths; shapes tell the kinds, colours and dashes the series.

    `reference` is a level line.
    """
    kept = [(name, [dot for dot in dots if known(dot.x) and known(dot.y)]) for name, dots in series]
    kept = [(name, dots) for name, dots in kept if dots]
    if not kept:
        return absent(title, reason or "no condition has both numbers")
    kinds = sorted({dot.kind for _, dots in kept for dot in dots})
    names = [name for name, _ in kept]
    rows = legend_rows(names, width=WIDTH) + (len(kinds) > 1)
    frame = box(width=WIDTH, height=HEIGHT, legend=rows)
    level = [reference] if reference is not None and known(reference) else []
    x = scale_over((dot.x for _, dots in kept for dot in dots), frame.left, frame.right)
    y = scale_over([*level, *(dot.y for _, dots in kept for dot in dots)], frame.bottom, frame.top)
    return picture(
        title,
        f"{y_label} against {x_label}. " + "; ".join(_said(name, dots) for name, dots in kept) + ".",
        WIDTH,
        HEIGHT,
        horizontal(frame, x, x_label),
        vertical(frame, y, y_label),
        *(line(frame.left, y(one), frame.right, y(one), colour="currentColor", dash="4 4") for one in level),
        *(_dots(name, dots, number, x, y, kinds) for number, (name, dots) in enumerate(kept)),
        *(
            curve([(x(a), y(b)) for a, b in medians(dots)], number)
            for number, (_, dots) in enumerate(kept)
            if len(dots) >= BINS * FEWEST
        ),
        legend(names, y=frame.bottom + 48, width=WIDTH),
        _kinds(kinds, frame.bottom + 48 + 16 * (rows - 1)) if len(kinds) > 1 else Markup(""),
    )


def medians(dots: Sequence[Dot], bins: int = BINS) -> list[tuple[float, float]]:
    """Median novelty and median error of equal parts of the conditions, from the least to the most novel.

    Parts that stand at about the same place, as where many conditions are equally novel, are put together.
    """
    ordered = sorted(dots, key=lambda dot: dot.x)
    cuts = [round(number * len(ordered) / bins) for number in range(bins + 1)]
    parts = [ordered[a:b] for a, b in pairwise(cuts) if b > a]
    near = NEAR * (ordered[-1].x - ordered[0].x) if ordered else 0.0
    apart: list[list[Dot]] = []
    for part in parts:
        if apart and median(dot.x for dot in part) - median(dot.x for dot in apart[-1]) <= near:
            apart[-1] += part
        else:
            apart.append(list(part))
    return [(median(dot.x for dot in part), median(dot.y for dot in part)) for part in apart]


def thinned(dots: Sequence[Dot], most: int = MOST) -> list[Dot]:
    """At most so many, evenly from the least to the most novel."""
    ordered = sorted(dots, key=lambda dot: (dot.x, dot.y, dot.name))
    every = max(1, -(-len(ordered) // most))
    return ordered[::every]


def _said(name: str, dots: Sequence[Dot]) -> str:
    return f"{name}: median {short(median(dot.y for dot in dots))} over {len(dots)} conditions"


def _dots(name: str, dots: Sequence[Dot], number: int, x: Scale, y: Scale, kinds: Sequence[str]) -> Markup:
    colour = SERIES[number % len(SERIES)]
    drawn = (
        shaped(
            x(dot.x),
            y(dot.y),
            SHAPES[kinds.index(dot.kind) % len(SHAPES)],
            colour,
            2.6,
            f"{name}, {dot.name}: {short(dot.y)} at {short(dot.x)}" + f", {dot.kind}" * bool(dot.kind),
        )
        for dot in thinned(dots)
    )
    return element("g", *drawn, opacity=0.55)


def _kinds(kinds: Sequence[str], y: float) -> Markup:
    parts, x = [], 46.0
    for number, kind in enumerate(kinds):
        parts.append(shaped(x + 8, y - 4, SHAPES[number % len(SHAPES)], "currentColor"))
        parts.append(text(kind or "other", x + 18, y, cut=24))
        x += 34 + 6.2 * min(len(kind or "other"), 24)
    return Markup("").join(parts)
