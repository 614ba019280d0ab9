"""A score between two controls, on one line."""

from __future__ import annotations

from markupsafe import Markup

from harness.reporting.figures.svg import Scale, absent, element, known, line, picture, place, short

LOW, HIGH = -0.5, 1.5  # the same for each bullet of a page, so that they can be read down the column
WIDTH, HEIGHT, MIDDLE, EDGE = 220.0, 22.0, 11.0, 8.0
SCALE = Scale(LOW, HIGH, EDGE, WIDTH - EDGE)


def bullet(
    label: str,
    scaled: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    raw: str = "",
    reason: str = "",
) -> Markup:
    """A *scaled* score from negative control (0) to positive control (1), with its interval; better is to the right.

    `low` and `high` are the interval's ends in scaled units, in either order; `raw` is the unscaled value in words, for
    the description; `reason` is said in place of the picture when there is no scaled score. What lies beyond −0.5 … 1.5
    is drawn at the edge as an arrow, with its number in the description.
    """
    if not known(scaled):
        return absent(label, reason or "no scaled score")
    assert scaled is not None
    between = known(low) and known(high)
    ends = sorted((low, high)) if low is not None and high is not None and between else None
    said = f"{short(scaled)} of the way from the negative control to the positive"
    said += f", interval {short(ends[0])} to {short(ends[1])}" if ends else ", without an interval"
    return picture(
        label,
        said + (f"; raw value {raw}" if raw else ""),
        WIDTH,
        HEIGHT,
        _band(),
        line(SCALE(0), 2, SCALE(0), HEIGHT - 2, colour="currentColor", width=1.5),
        line(SCALE(1), 2, SCALE(1), HEIGHT - 2, colour="currentColor", width=1.5, dash="2 2"),
        _interval(ends) if ends else Markup(""),
        _dot(scaled),
    )


def scaled_between(value: float, negative: float, positive: float) -> float:
    """Where a raw value lies between its two controls; the same sense for metrics that fall and that rise."""
    return (value - negative) / (positive - negative)


def _band() -> Markup:
    start, end = SCALE(0), SCALE(1)
    rail = line(EDGE, MIDDLE, WIDTH - EDGE, MIDDLE)
    return rail + element(
        "rect", x=start, y=MIDDLE - 5, width=end - start, height=10, fill="var(--panel)", stroke="var(--line)"
    )


def _interval(ends: list[float]) -> Markup:
    first, last = (SCALE.held(one) for one in ends)
    caps = [
        line(x, MIDDLE - 4, x, MIDDLE + 4, colour="var(--c1)", width=1.5)
        for x, end in ((first, ends[0]), (last, ends[1]))
        if LOW <= end <= HIGH  # an end beyond the edge has no cap: the line runs out of the picture
    ]
    return line(first, MIDDLE, last, MIDDLE, colour="var(--c1)", width=3) + Markup("").join(caps)


def _dot(scaled: float) -> Markup:
    x = SCALE.held(scaled)
    if LOW <= scaled <= HIGH:
        return element(
            "circle", cx=x, cy=MIDDLE, r=4.5, fill="var(--c1)", stroke="var(--bg)", stroke_width=1.5
        )
    out = 7 if scaled > HIGH else -7
    a, b, tip = place(x - out), place(MIDDLE), place(x + out)
    return element(
        "polygon", points=f"{tip},{b} {a},{place(MIDDLE - 5)} {a},{place(MIDDLE + 5)}", fill="var(--c1)"
    )
