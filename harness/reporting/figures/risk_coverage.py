"""What is gained by answering only where the submission is sure."""

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
from harness.reporting.figures.svg import Scale, absent, picture, scale_over, short

WORDS = {
    "risk": "by its own uncertainty",
    "predicted_norm": "by the size of its effect",
    "oracle": "by the true error",
    "random": "at random",
}


def risk_coverage(
    coverage: Sequence[float],
    curves: Mapping[str, Sequence[float | None] | float],
    *,
    title: str = "Risk–coverage: error of the conditions it is surest of",
    reason: str = "",
) -> Markup:
    """Relative risk of the conditions kept, against the share kept.

    One line a key: `risk` (ordered by the submission's own uncertainty), `predicted_norm`, `oracle`, `random`; one number
    is a level line.
    """
    keys = [key for key in (*WORDS, *sorted(set(curves) - set(WORDS))) if key in curves]
    ordered = {key: _everywhere(curves[key], len(coverage)) for key in keys}
    series = {WORDS.get(key, key): points for key, points in drawn_series(coverage, ordered).items()}
    if not series:
        return absent(title, reason or "no curve was computed")
    frame = box(legend=legend_rows(list(series)), height=HEIGHT + 20)
    x = Scale(0, 1, frame.left, frame.right)
    y = scale_over((b for points in series.values() for _, b in points), frame.bottom, frame.top)
    said = "; ".join(f"kept {name}: {short(_at_half(points))}" for name, points in series.items())
    return picture(
        title,
        f"Relative error by the share of conditions kept, at half of them: {said}. Lower is better.",
        WIDTH,
        HEIGHT + 20,
        horizontal(frame, x, "share of conditions kept"),
        vertical(frame, y, "relative risk"),
        *(curve([(x(a), y(b)) for a, b in points], i) for i, points in enumerate(series.values())),
        legend(list(series), y=frame.bottom + 48),
    )


def _everywhere(values: Sequence[float | None] | float, n: int) -> Sequence[float | None]:
    return [float(values)] * n if isinstance(values, int | float) else values


def _at_half(points: Sequence[tuple[float, float]]) -> float:
    return min(points, key=lambda point: abs(point[0] - 0.5))[1]
