"""Predicted against observed change, gene by gene."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.axes import WIDTH, box, horizontal, shaped, vertical
from harness.reporting.figures.svg import Scale, absent, known, line, picture, scale_over, short, text

NAMED = 6  # genes whose names stand beside their dots
HIGH = 280.0


def delta_scatter(
    title: str,
    observed: Sequence[float],
    predicted: Sequence[float],
    *,
    genes: Sequence[str] | None = None,
    note: str = "",
    reason: str = "",
) -> Markup:
    """Each gene's predicted delta (up) against its observed delta (right) on one scale, with the diagonal and zero.

    `genes` are named in tooltips, the strongest few beside their dots; without names the dots stay nameless. `note`
    stands below the picture. A filled dot has its sign right, a cross has it wrong.
    """
    names = list(genes) if genes is not None else [""] * len(observed)
    rows = [
        (a, b, name) for a, b, name in zip(observed, predicted, names, strict=True) if known(a) and known(b)
    ]
    if not rows:
        return absent(title, reason or "no gene to show")
    frame = box(height=HIGH, legend=2 if note else 1)
    both = [0.0, *(number for a, b, _ in rows for number in (a, b))]
    x, y = scale_over(both, frame.left, frame.right), scale_over(both, frame.bottom, frame.top)
    right = sum(a * b > 0 for a, b, _ in rows)
    return picture(
        title,
        f"{len(rows)} genes; {right} with the right sign. {note}".strip(),
        WIDTH,
        HIGH,
        horizontal(frame, x, "observed delta"),
        vertical(frame, y, "predicted delta"),
        line(x(0), frame.top, x(0), frame.bottom, colour="var(--muted)"),
        line(frame.left, y(0), frame.right, y(0), colour="var(--muted)"),
        line(x(x.low), y(x.low), x(x.high), y(x.high), colour="currentColor", dash="4 4"),
        *(_dot(x(a), y(b), a, b, name) for a, b, name in rows),
        *_labels(rows, x, y),
        shaped(frame.left + 6, frame.bottom + 44, "circle", "var(--c1)"),
        text("right sign", frame.left + 14, frame.bottom + 48),
        shaped(frame.left + 96, frame.bottom + 44, "cross", "var(--c2)"),
        text("wrong sign", frame.left + 104, frame.bottom + 48),
        text(note, frame.left, frame.bottom + 64, muted=True, cut=54) if note else Markup(""),
    )


def _dot(x: float, y: float, observed: float, predicted: float, name: str) -> Markup:
    right = observed * predicted > 0
    tip = f"{name}: " * bool(name) + f"observed {short(observed)}, predicted {short(predicted)}"
    return shaped(x, y, "circle" if right else "cross", "var(--c1)" if right else "var(--c2)", 3, tip)


def _labels(rows: Sequence[tuple[float, float, str]], x: Scale, y: Scale) -> list[Markup]:
    """Names of the strongest genes; one that would lie upon another is left to its tooltip."""
    placed: list[tuple[float, float]] = []
    drawn: list[Markup] = []
    for a, b, name in sorted(rows, key=lambda row: -abs(row[0])):
        at = (x(a), y(b))
        if not name or len(drawn) == NAMED:
            continue
        if any(abs(at[0] - other[0]) < 60 and abs(at[1] - other[1]) < 12 for other in placed):
            continue
        placed.append(at)
        left = at[0] > (x.start + x.end) / 2
        drawn.append(
            text(
                name,
                at[0] + (-6 if left else 6),
                at[1] + 4,
                anchor="end" if left else "start",
                size=10,
                cut=14,
                over=True,
            )
        )
    return drawn
