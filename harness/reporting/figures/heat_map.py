"""A table of numbers as shades: contexts across, perturbations down."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.axes import LETTER
from harness.reporting.figures.svg import absent, element, known, picture, place, short, text

CELL, ROW, TOP, MOST = 54.0, 18.0, 24.0, 60
WIDE, LEAST_ROWS = 1080.0, 8
"""Rows go on in a further band at the side while the bands fit into this width, and each has so many rows."""


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    higher_is_better: bool | None,
    unit: str = "",
    reason: str = "",
) -> Markup:
    """Shades with the number in each cell: the stronger the shade, the better (or the larger, where neither is better).

    An unknown cell is crossed out and says so. The first 60 rows are drawn, and how many are not is said.
    """
    found = sorted(one for row in values for one in row if one is not None and known(one))
    if not found or not columns:
        return absent(title, reason or "no value to show")
    shown, more = list(rows[:MOST]), len(rows) - MOST
    left = 12 + LETTER * min(max((len(name) for name in shown), default=0), 22)
    band = left + CELL * len(columns) + 8
    per = math.ceil(len(shown) / max(1, min(int(WIDE // band), len(shown) // LEAST_ROWS)))
    bands = math.ceil(len(shown) / per)
    width, height = max(band * bands, 340), TOP + ROW * per + 40
    sense = {True: "darker is better", False: "darker is better (a smaller number)", None: "darker is larger"}
    said = (
        f"{sense[higher_is_better]}; from {short(found[0])} to {short(found[-1])}{f' {unit}' if unit else ''}"
    )
    cells = (
        _cell(
            one,
            band * (row // per) + left + CELL * column,
            TOP + ROW * (row % per),
            f"{shown[row]}, {columns[column]}",
            found,
            higher_is_better,
        )
        for row in range(len(shown))
        for column, one in enumerate(values[row])
    )
    return picture(
        title,
        f"{len(rows)} rows by {len(columns)} columns; {said}.",
        width,
        height,
        *(
            text(name, band * at + left + CELL * (i + 0.5), 16, anchor="middle", cut=9)
            for at in range(bands)
            for i, name in enumerate(columns)
        ),
        element(
            "g",
            *(
                text(name, band * (i // per) + left - 6, TOP + ROW * (i % per) + 13, cut=22, grouped=True)
                for i, name in enumerate(shown)
            ),
            text_anchor="end",
            font_size=10,
        ),
        element("g", *cells, text_anchor="middle", font_size=10),
        text(said, 4, height - 20, muted=True, size=10),
        text(f"and {more} rows more in metrics.parquet", 4, height - 5, muted=True, size=10)
        if more > 0
        else Markup(""),
    )


def shade(number: float, ordered: Sequence[float], higher_is_better: bool | None) -> float:
    """From 0 to 1 with rising merit, by rank, so that one outlier does not bleach the rest."""
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return 0.5
    below = sum(one < number for one in ordered)
    level = sum(one == number for one in ordered)
    share = (below + (level - 1) / 2) / (len(ordered) - 1)
    return 1 - share if higher_is_better is False else share


def _cell(
    number: float | None,
    x: float,
    y: float,
    name: str,
    ordered: Sequence[float],
    higher_is_better: bool | None,
) -> Markup:
    frame = {"x": x + 0.5, "y": y + 0.5, "width": CELL - 1, "height": ROW - 1}
    if number is None or not known(number):
        crossed = f"M{place(x + 2)} {place(y + ROW - 2)}L{place(x + CELL - 2)} {place(y + 2)}"
        return element(
            "g",
            element("title", f"{name}: unknown"),
            element("rect", fill="none", stroke="var(--line)", **frame),
            element("path", d=crossed, stroke="var(--line)"),
        )
    # At most 38 % of the colour under the letters: their contrast stays that of the page.
    strength = 0.03 + 0.35 * shade(number, ordered, higher_is_better)
    return element(
        "g",
        element("title", f"{name}: {short(number, 6)}"),
        element("rect", fill="var(--c1)", fill_opacity=place(strength), **frame),
        text(short(number), x + CELL / 2, y + 13, grouped=True),
    )
