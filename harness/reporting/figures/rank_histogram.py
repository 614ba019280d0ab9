"""Where the right answer stood among all candidates."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from harness.reporting.figures.axes import HEIGHT, WIDTH, box, horizontal, vertical
from harness.reporting.figures.svg import Scale, absent, element, known, line, picture, short, text, ticks


def rank_histogram(
    title: str,
    ranks: Sequence[float | None],
    *,
    bins: int = 10,
    lower_is_better: bool = True,
    reason: str = "",
) -> Markup:
    """Conditions by normalised rank in [0, 1], the best to the right whatever its number, with the line of chance."""
    found = [float(one) for one in ranks if one is not None and known(one)]
    if not found:
        return absent(title, reason or "no condition has a rank")
    counts = counted([1 - one if lower_is_better else one for one in found], bins)
    frame = box()
    x = Scale(0, 1, frame.left, frame.right)
    most = max(*counts, len(found) / bins)
    y = Scale(0, most * 1.08, frame.bottom, frame.top)
    chance = len(found) / bins
    left_out = len(ranks) - len(found)
    return picture(
        title,
        f"{len(found)} conditions; {counts[-1]} in the best {short(1 / bins)} of ranks, {short(chance)} by chance."
        + f" {left_out} without a rank." * bool(left_out),
        WIDTH,
        HEIGHT,
        vertical(frame, y, "conditions", at=[one for one in ticks(0, y.high, 4) if one == int(one)]),
        horizontal(frame, x, "rank: worst 0, best 1", at=(0, 0.25, 0.5, 0.75, 1)),
        *(_bar(count, number, bins, x, y) for number, count in enumerate(counts)),
        line(frame.left, y(chance), frame.right, y(chance), colour="currentColor", dash="4 4"),
        text("chance", frame.left + 4, y(chance) - 4, size=10, over=True),
    )


def counted(merits: Sequence[float], bins: int) -> list[int]:
    """How many fall into each of equal parts of [0, 1]; the upper end belongs to the last."""
    counts = [0] * bins
    for one in merits:
        counts[min(max(int(one * bins + 1e-9), 0), bins - 1)] += 1
    return counts


def _bar(count: int, number: int, bins: int, x: Scale, y: Scale) -> Markup:
    start, end = x(number / bins), x((number + 1) / bins)
    return element(
        "rect",
        element("title", f"{count} conditions from {short(number / bins)} to {short((number + 1) / bins)}"),
        x=start + 1,
        y=y(count),
        width=end - start - 2,
        height=y(0) - y(count),
        fill="var(--c1)",
    )
