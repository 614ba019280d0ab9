"""What intervals promise and what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from harness.reporting.figures.axes import (
    HEIGHT,
    WIDTH,
    box,
    curve,
    horizontal,
    legend,
    legend_rows,
    vertical,
)
from harness.reporting.figures.series import drawn_series
from harness.reporting.figures.svg import Scale, absent, line, picture, short


def reliability(
    nominal: Sequence[float],
    observed: Mapping[str, Sequence[float | None]],
    *,
    title: str = "Reliability: observed against nominal coverage",
    reason: str = "",
) -> Markup:
    """Observed coverage of central intervals against nominal, one line a name (`reported`, `iid`).

    The dashed diagonal is a perfect forecast; below it the intervals are too narrow.
    """
    series = drawn_series(nominal, observed)
    if not series:
        return absent(title, reason or "no coverage was computed")
    rows = legend_rows(list(series))
    frame = box(legend=rows)
    x, y = Scale(0, 1, frame.left, frame.right), Scale(0, 1, frame.bottom, frame.top)
    said = "; ".join(
        f"{name}: {short(points[-1][1])} at {short(points[-1][0])}" for name, points in series.items()
    )
    return picture(
        title,
        f"Observed share of values inside central intervals, by the share promised. {said}.",
        WIDTH,
        HEIGHT,
        horizontal(frame, x, "nominal coverage"),
        vertical(frame, y, "observed coverage"),
        line(x(0), y(0), x(1), y(1), colour="currentColor", dash="4 4"),
        *(curve([(x(a), y(b)) for a, b in points], i, dots=True) for i, points in enumerate(series.values())),
        legend(list(series), y=frame.bottom + 48),
    )
