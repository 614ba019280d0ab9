"""Conditions sorted into classes of novelty, and how every method did in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.reporting.atlas.sheet import Cell, Condition, Method, Table
from harness.reporting.figures.svg import short
from harness.scoring.score_table import Floats
from harness.scoring.seen import CLASSES

PARTS = 4
FEWEST = 3
"""Conditions that a class needs for a summary."""
Groups = list[tuple[str, list[int]]]
Turned = Callable[[Sequence[float | None]], Floats]
"""Values such that more is better."""


def tables(conditions: Sequence[Condition], methods: Sequence[Method], turned: Turned) -> tuple[Table, ...]:
    """A table along each way of being new; one that sorts nothing apart is left out."""
    asked: list[tuple[str, str, str, Groups]] = [
        (
            "distance",
            "By distance to training",
            "Mean distance to the five nearest training conditions, by control profile and targets; from near to far.",
            quarters([one.distance for one in conditions]),
        ),
        (
            "seen",
            "By what training has shown",
            "Whether the perturbation itself, or its parts, were trained on, and whether its context was.",
            _by_class(conditions),
        ),
        (
            "effect",
            "By size of the effect",
            "Root mean square of the observed change; from weak to strong.",
            quarters([one.effect for one in conditions]),
        ),
        (
            "cells",
            "By number of cells",
            "Cells that the truth was measured on; the fewer, the noisier it is, for every method alike.",
            quarters([float(one.cells) for one in conditions]),
        ),
    ]
    return tuple(_table(*one, methods, turned) for one in asked if len(one[3]) > 1 or one[0] == "seen")


def quarters(values: Sequence[float | None], parts: int = PARTS) -> Groups:
    """Positions in equal parts from the least to the most, each named by its range; equal values stay together."""
    known = np.array([np.nan if one is None else one for one in values], np.float64)
    finite = known[np.isfinite(known)]
    if not len(finite):
        return []
    cuts = np.unique(np.quantile(finite, np.linspace(0, 1, parts + 1), method="nearest"))
    if len(cuts) == 1:
        return [(short(float(cuts[0])), np.flatnonzero(np.isfinite(known)).tolist())]
    found: Groups = []
    for at, (low, high) in enumerate(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)):
        inside = (known >= low if at == 0 else known > low) & (known <= high)
        if inside.any():
            found.append((f"{short(low)} … {short(high)}", np.flatnonzero(inside).tolist()))
    return found


def _by_class(conditions: Sequence[Condition]) -> Groups:
    found: Groups = []
    for seen in CLASSES:
        for known in (True, False):
            inside = [
                at for at, one in enumerate(conditions) if (one.seen, one.context_seen) == (seen, known)
            ]
            if inside:
                found.append((f"{seen}, {'known' if known else 'new'} context", inside))
    return found


def _table(
    axis: str, title: str, note: str, groups: Groups, methods: Sequence[Method], turned: Turned
) -> Table:
    baseline = turned(methods[0].values) if methods and methods[0].control else None
    rows = []
    for method in methods:
        merit = turned(method.values)
        rows.append((method.name, tuple(_cell(method, merit, baseline, inside) for _, inside in groups)))
    return Table(
        axis,
        title,
        note,
        tuple(name for name, _ in groups),
        tuple(len(one) for _, one in groups),
        tuple(rows),
    )


def _cell(method: Method, merit: Floats, baseline: Floats | None, inside: Sequence[int]) -> Cell:
    values = [value for at in inside if (value := method.values[at]) is not None]
    if len(values) < FEWEST:
        return Cell(len(values), None, None, None)
    better = None
    if baseline is not None and not method.control:
        both = np.isfinite(merit[list(inside)]) & np.isfinite(baseline[list(inside)])
        gain = (merit[list(inside)] - baseline[list(inside)])[both]
        better = float((gain > 0).mean()) if len(gain) else None
    return Cell(len(values), float(np.mean(values)), float(np.median(values)), better)
