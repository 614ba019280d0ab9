"""Do predictions vary as much as the truth does?"""

from __future__ import annotations

import math

from markupsafe import Markup

from harness.reporting.figures.axes import WIDTH, shaped
from harness.reporting.figures.svg import Scale, absent, element, known, line, picture, short, text

LEAST, MOST, RAIL = 0.01, 100.0, 30.0


def variance_ratio(
    ratio: float | None,
    *,
    low: float = 0.1,
    high: float = 3.0,
    title: str = "Variance ratio",
    reason: str = "",
) -> Markup:
    """The ratio on a logarithmic line from collapse to exaggeration, 1 and the permitted range marked."""
    if ratio is None or not known(ratio) or ratio < 0:
        return absent(title, reason or "no ratio was computed")
    x = Scale(math.log10(LEAST), math.log10(MOST), 12, WIDTH - 12)
    at = x.held(math.log10(max(ratio, LEAST)))
    start, end = x(math.log10(low)), x(math.log10(high))
    inside = low <= ratio <= high
    verdict = "as it should be" if inside else "collapsed" if ratio < low else "exaggerated"
    return picture(
        title,
        f"{short(ratio)}: {verdict}; permitted {short(low)} to {short(high)}, 1 where predictions vary as truth does.",
        WIDTH,
        66,
        line(12, RAIL, WIDTH - 12, RAIL),
        element(
            "rect",
            x=start,
            y=RAIL - 7,
            width=end - start,
            height=14,
            fill="var(--panel)",
            stroke="var(--line)",
        ),
        line(x(0), RAIL - 10, x(0), RAIL + 10, colour="currentColor", width=1.5, dash="2 2"),
        *(
            text(short(one), x(math.log10(one)), RAIL + 24, anchor="middle", muted=True)
            for one in (LEAST, low, 1, high, MOST)
        ),
        shaped(at, RAIL, "circle" if inside else "diamond", "var(--c1)" if inside else "var(--bad)", 5),
        text(f"{short(ratio)} {verdict}", min(max(at, 60), WIDTH - 60), 14, anchor="middle"),
    )
