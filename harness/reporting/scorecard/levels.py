"""Values by context and by perturbation: what fits on a page, and how much of it is in `metrics.parquet` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.metrics.card import Direction, cards
from harness.reporting.scorecard.parts import Parts
from harness.reporting.scorecard.sheet import Conditions, Level, Score, Supported, known

MOST_ROWS = 100
MOST_METRICS = 8
LEVELS = ("per_context", "per_perturbation")
RETRIEVAL = "calibrated.retrieval"


def levels(panel: str, scores: Sequence[Score], metrics: Mapping[str, Any]) -> tuple[Level, ...]:
    """Both levels of a panel, of the metrics that say most; one without any value there has no column."""
    return tuple(filter(None, (_level(name, scores, metrics[panel].get(name, {})) for name in LEVELS)))


def _level(name: str, scores: Sequence[Score], values: Mapping[str, Mapping[str, Any]]) -> Level | None:
    there = [
        row
        for row in scores
        if any(known(one.get(row.metric, {}).get("value")) is not None for one in values.values())
    ]
    if not there:
        return None
    chosen = sorted(there, key=_weight)[:MOST_METRICS]
    chosen = [row for row in there if row in chosen]
    rows = tuple(
        (label, tuple(known(values[label].get(row.metric, {}).get("value")) for row in chosen))
        for label in sorted(values)[:MOST_ROWS]
    )
    metrics = tuple(row.metric for row in chosen)
    return Level(name, metrics, rows, max(0, len(values) - MOST_ROWS), len(there) - len(chosen))


def _weight(row: Score) -> tuple[bool, bool, bool]:
    """What ranks comes first, then what has a vote here, then what has a direction."""
    return not row.may_rank, row.passport != "passport", row.direction == Direction.NONE.value


def conditions_of(parts: Parts, metric: str) -> Conditions | None:
    """The primary metric of every reported condition as a table of perturbations and contexts."""
    reported = parts.reported
    if reported is None:
        return None
    values = reported.values.get(metric)
    if values is None or not reported.conditions:
        return None
    contexts = sorted({one.context for one in reported.conditions})
    every = sorted({one.perturbation for one in reported.conditions})
    found: dict[tuple[str, str], list[float]] = {}
    for one, value in zip(reported.conditions, values.tolist(), strict=True):
        found.setdefault((one.perturbation, one.context), []).append(value)
    shown = every[:MOST_ROWS]
    cells = tuple(
        tuple(
            known(float(np.mean(found[row, column]))) if (row, column) in found else None
            for column in contexts
        )
        for row in shown
    )
    nothing = np.full(len(reported.conditions), np.nan)
    ranks = reported.values.get(RETRIEVAL, nothing)
    direction = cards()[metric].direction
    higher = {Direction.HIGHER: True, Direction.LOWER: False}.get(direction)
    return Conditions(
        metric,
        higher,
        tuple(contexts),
        tuple(shown),
        cells,
        tuple(known(value) for value in ranks.tolist()),
        len(every) - len(shown),
    )


def supported_of(metrics: Mapping[str, Any], headline: Sequence[Score]) -> Supported | None:
    """The headline over the conditions of which the submission itself speaks; None where it said nothing of that."""
    shares = metrics.get("supported")
    if not shares:
        return None
    apart = metrics.get("subsets", {}).get("supported", {})
    rows = tuple((row.key, row.value, known(_value(apart, row))) for row in headline if row.panel in apart)
    return Supported(shares["native"], shares["extension"], shares["fallback"], rows)


def _value(panels: Mapping[str, Any], row: Score) -> float | None:
    found: float | None = panels[row.panel]["global"].get(row.metric, {}).get("value")
    return found
