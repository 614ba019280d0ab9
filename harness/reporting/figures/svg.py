"""What every picture is made of: elements whose content is escaped, scales, and the picture's frame.

Colours are the page's own variables, so a picture follows light, dark and print; letters take the colour of the text
around them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup, escape

SERIES = tuple(f"var(--c{number})" for number in range(1, 7))
DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 2", "10 4")
FONT = "font-family:inherit;font-variant-numeric:tabular-nums"
SIZE = 11  # of the letters


class Scale(NamedTuple):
    """Numbers onto places: `low` falls on `start`, `high` on `end`; outside they go on, unless `held`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, number: float) -> float:
        """The place of a number."""
        span = self.high - self.low
        share = (number - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)

    def held(self, number: float) -> float:
        """The place of a number, at the nearer end when it lies outside."""
        return self(min(max(number, self.low), self.high))


def scale_over(numbers: Iterable[float], start: float, end: float, *, pad: float = 0.04) -> Scale:
    """A scale that holds all finite numbers, with a little air; one number alone stands in the middle."""
    finite = [number for number in numbers if math.isfinite(number)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    room = (high - low) * pad or abs(high) * 0.5 or 0.5
    return Scale(low - room, high + room, start, end)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `wanted` of them, ascending."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((f for f in (1, 2, 2.5, 5, 10) if f * power >= rough * 0.999), default=10) * power
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def known(number: float | None) -> bool:
    """Is this a number that can be drawn?"""
    return number is not None and math.isfinite(number)


def short(number: float | None, digits: int = 3) -> str:
    """A number as a picture's label shows it; a dash for none."""
    if number is None or not math.isfinite(number):
        return "–"
    text = f"{number:.{digits}g}"
    if "e" in text and 1e-4 <= abs(number) < 1e6:
        text = f"{number:.0f}"
    return text.replace("-", "−")


def place(number: float) -> str:
    """A coordinate, in as few letters as it needs: the same bytes each time."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(tag: str, *content: Markup | str, **attributes: float | str | None) -> Markup:
    """One element; attributes of value None are left out, `_` in a name stands for `-`, text is escaped."""
    written = Markup("").join(
        Markup(' {}="{}"').format(
            name.rstrip("_").replace("_", "-"), place(value) if isinstance(value, int | float) else value
        )
        for name, value in attributes.items()
        if value is not None
    )
    if not content:
        return Markup("<{0}{1}/>").format(Markup(tag), written)  # noqa: S704 (our own tag names)
    inner = Markup("").join(escape(part) for part in content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, inner)  # noqa: S704 (our own tag names)


def text(
    words: str,
    x: float,
    y: float,
    *,
    anchor: str = "start",
    size: float = SIZE,
    muted: bool = False,
    turned: bool = False,
    cut: int = 0,
    over: bool = False,
    grouped: bool = False,
) -> Markup:
    """Words at a place, cut to `cut` letters with the whole in a tooltip; `turned` reads upwards.

    `over`: lines that run behind the words make room for them. `grouped`: anchor and size are those of the group around it.
    """
    shown = words if not cut or len(words) <= cut else words[: cut - 1] + "…"
    return element(
        "text",
        shown,
        *((element("title", words),) if shown != words else ()),
        x=x,
        y=y,
        text_anchor=None if grouped or anchor == "start" else anchor,
        font_size=None if grouped else size,
        fill="var(--muted)" if muted else None,
        style="paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round" if over else None,
        transform=f"rotate(-90 {place(x)} {place(y)})" if turned else None,
    )


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    colour: str = "var(--line)",
    width: float = 1,
    dash: str = "",
) -> Markup:
    """A straight line."""
    return element(
        "line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width, stroke_dasharray=dash or None
    )


def path(points: Iterable[tuple[float, float]], *, colour: str, dash: str = "", width: float = 1.8) -> Markup:
    """A line through points."""
    walked = " L".join(f"{place(x)} {place(y)}" for x, y in points)
    return element(
        "path",
        d=f"M{walked}",
        fill="none",
        stroke=colour,
        stroke_width=width,
        stroke_dasharray=dash or None,
        stroke_linejoin="round",
    )


def picture(title: str, description: str, width: float, height: float, *parts: Markup) -> Markup:
    """The whole picture with its name and description for those who do not see it; no wider than it was drawn."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        class_="figure",
        viewBox=f"0 0 {place(width)} {place(height)}",
        width=width,
        height=height,
        style=f"max-width:100%;height:auto;{FONT}",
        color="inherit",
        fill="currentColor",
    )


def absent(title: str, reason: str) -> Markup:
    """What stands where a picture cannot be drawn: its name and why."""
    return element("p", element("strong", title), ": ", reason or "nothing to draw", class_="absent")
