"""How training went."""

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
from harness.reporting.figures.svg import absent, known, line, picture, scale_over, short, text


def learning_curve(
    title: str,
    steps: Sequence[float],
    values: Mapping[str, Sequence[float | None]],
    *,
    best_step: float | None = None,
    x_label: str = "step",
    reason: str = "",
) -> Markup:
    """Each quantity over the steps (a curve of `diagnostics.json`), the chosen step marked."""
    series = drawn_series(steps, values)
    if not series:
        return absent(title, reason or "training left no curve")
    frame = box(legend=legend_rows(list(series)))
    x = scale_over((a for points in series.values() for a, _ in points), frame.left, frame.right)
    y = scale_over((b for points in series.values() for _, b in points), frame.bottom, frame.top)
    said = "; ".join(
        f"{name} from {short(points[0][1])} to {short(points[-1][1])}" for name, points in series.items()
    )
    chosen = (
        [best_step] if best_step is not None and known(best_step) and x.low <= best_step <= x.high else []
    )
    return picture(
        title,
        f"By {x_label}, to {short(max(a for points in series.values() for a, _ in points))}: {said}."
        + "".join(f" Chosen: step {short(one)}." for one in chosen),
        WIDTH,
        HEIGHT,
        horizontal(frame, x, x_label),
        vertical(frame, y, "value"),
        *(line(x(one), frame.top, x(one), frame.bottom, colour="currentColor", dash="4 3") for one in chosen),
        *(
            text(
                "chosen",
                x(one) + (4 if x(one) < WIDTH / 2 else -4),
                frame.top + 10,
                anchor="start" if x(one) < WIDTH / 2 else "end",
            )
            for one in chosen
        ),
        *(
            curve([(x(a), y(b)) for a, b in points], i, dots=len(points) < 20)
            for i, points in enumerate(series.values())
        ),
        legend(list(series), y=frame.bottom + 48),
    )
