"""A comparison as a page, in HTML and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from harness.reporting.comparison.sheet import Sheet, arrow, verdict_of_pair
from harness.reporting.figures import Difference, forest
from harness.reporting.page import render
from harness.verdicts.compare import MetricComparison

MOST_PAIRS = 100
"""Pairs of one metric in a table; the document has them all."""
MOST_DRAWN = 15


def page(sheet: Sheet) -> str:
    """The page, one file."""
    return render("comparison.html.j2", **_context(sheet))


def markdown(sheet: Sheet) -> str:
    """The same for a readme or a thread."""
    return render("comparison.md.j2", **_context(sheet))


def _context(sheet: Sheet) -> dict[str, Any]:
    return {
        "sheet": sheet,
        "metrics": [_metric(one) for one in sheet.comparison.metrics],
        "overview": _overview(sheet) if len(sheet.names) == 2 else None,
    }


def _metric(one: MetricComparison) -> dict[str, Any]:
    pairs = [
        {
            "ours": pair.ours,
            "theirs": pair.theirs,
            "estimate": finite(pair.interval.estimate),
            "low": finite(pair.interval.low),
            "high": finite(pair.interval.high),
            "share": finite(pair.interval.share_better),
            "p": finite(pair.interval.p),
            "q": finite(pair.q),
            "detectable": finite(pair.detectable),
            "reason": pair.interval.reason or "no condition is defined for both",
            "word": verdict_of_pair(pair, one),
        }
        for pair in one.pairs
    ]
    return {
        "name": one.metric,
        "arrow": arrow(one.metric),
        "n": one.n,
        "not_ranked": one.not_ranked,
        "standings": [
            {
                "name": each.name,
                "group": None if each.place is None else each.place.group,
                "ranks": None if each.place is None else _ranks(each.place.low, each.place.high),
                "value": finite(each.value),
                "shared": finite(each.shared),
                "undefined": each.undefined,
                "left_out": each.left_out,
            }
            for each in one.standings
        ],
        "pairs": pairs[:MOST_PAIRS],
        "more": max(len(pairs) - MOST_PAIRS, 0),
        "drawn": _drawn(one, pairs),
    }


def _drawn(one: MetricComparison, pairs: Sequence[dict[str, Any]]) -> Markup:
    rows = [
        Difference(
            f"{pair['ours']} − {pair['theirs']}", pair["estimate"], pair["low"], pair["high"], pair["word"]
        )
        for pair in pairs[:MOST_DRAWN]
    ]
    return forest(f"{one.metric}: differences", rows, worse="the second better", better="the first better")


def _overview(sheet: Sheet) -> Markup | None:
    """Of two sides every metric in one picture, in units of the span from baseline to replicate."""
    first, second = sheet.names
    rows = []
    for one in sheet.comparison.metrics:
        pair = one.pairs[0]
        turn = 1.0 if pair.ours == first else -1.0
        if one.span is None or not math.isfinite(one.span) or one.span <= 0:
            rows.append(Difference(one.metric, None, None, None, "no controls to scale it by"))
            continue
        ends = sorted(turn * end / one.span for end in (pair.interval.low, pair.interval.high))
        middle = turn * pair.interval.estimate / one.span
        rows.append(
            Difference(
                one.metric, finite(middle), finite(ends[0]), finite(ends[1]), verdict_of_pair(pair, one)
            )
        )
    if all(row.estimate is None for row in rows):
        return None
    return forest(f"{first} against {second}", rows, worse=f"{second} better", better=f"{first} better")


def finite(number: float | None) -> float | None:
    """None for what is no number."""
    return number if number is not None and math.isfinite(number) else None


def _ranks(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"
