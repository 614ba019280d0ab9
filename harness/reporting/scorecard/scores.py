"""Every metric of a run as one row: value, interval, anchors, passport, and the paired difference to the best control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.controls.control_set import ControlSet
from harness.metrics.card import Card, cards
from harness.metrics.registry import panels
from harness.reporting.scorecard.parts import Parts
from harness.reporting.scorecard.sheet import Outcome, Score, known
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval, paired_intervals
from harness.statistics.power import non_inferior, underpowered
from harness.verdicts.against_controls import spans

NO_MEAN = "one value of the whole task, no mean over its conditions"
NO_CONTROLS = "the run was scored without controls"
CLOSE = 1e-9


def all_scores(parts: Parts) -> dict[str, Score]:
    """Every metric of every panel, in the order of the panels."""
    assert parts.metrics is not None
    named = [f"{panel.name}.{metric}" for panel in panels().values() for metric in panel.metrics]
    rows = {key: _plain(cards()[key], parts.metrics) for key in named if _summary(parts.metrics, key)}
    if parts.table is not None:
        rows |= _with_intervals(rows, parts)
    if parts.controls is not None and parts.table is not None:
        rows |= _with_anchors(rows, parts)
        rows |= _with_differences(rows, parts.controls, parts)
        for panel in panels():
            own = [key for key in rows if rows[key].panel == panel]
            rows |= adjusted([rows[key] for key in own])
    return rows


def adjusted(rows: Sequence[Score]) -> dict[str, Score]:
    """Rows with their p adjusted among each other (Benjamini–Hochberg); these rows are the declared family."""
    tested = [row for row in rows if row.p is not None]
    if not tested:
        return {row.key: row for row in rows}
    found = benjamini_hochberg([row.p for row in tested if row.p is not None]).q
    q = {row.key: float(one) for row, one in zip(tested, found, strict=True)}
    return {
        row.key: replace(row, q=q.get(row.key), family=len(tested) if row.key in q else None) for row in rows
    }


def _summary(metrics: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    panel, _, metric = key.partition(".")
    found: Mapping[str, Any] = metrics.get(panel, {}).get("global", {}).get(metric, {})
    return found


def _plain(card: Card, metrics: Mapping[str, Any]) -> Score:
    summary = _summary(metrics, f"{card.panel}.{card.name}")
    return Score(
        key=f"{card.panel}.{card.name}",
        panel=card.panel,
        metric=card.name,
        description=card.description,
        direction=card.direction.value,
        optimum=known(card.optimum),
        may_rank=card.may_rank,
        value=known(summary.get("value")),
        reason=summary.get("reason"),
        n=summary.get("n"),
    )


def _with_intervals(rows: Mapping[str, Score], parts: Parts) -> dict[str, Score]:
    """The interval of each value that is a mean over conditions."""
    reported = parts.reported
    assert reported is not None
    named = [key for key in rows if key in reported.values]
    found = {key: replace(rows[key], no_interval=NO_MEAN) for key in rows}
    if not named or not reported.conditions:
        return found
    told = paired_intervals(reported.matrix(named), None, reported.contexts, reported.perturbations)
    for key, interval in zip(named, told, strict=True):
        value = rows[key].value
        if value is None or not math.isfinite(interval.estimate):
            found[key] = replace(rows[key], no_interval=rows[key].reason or interval.reason)
        elif abs(interval.estimate - value) <= CLOSE * max(1.0, abs(value)):
            ends = known(interval.low), known(interval.high)
            found[key] = replace(rows[key], low=ends[0], high=ends[1], no_interval=interval.reason or None)
    return found


def _with_anchors(rows: Mapping[str, Score], parts: Parts) -> dict[str, Score]:
    passports = parts.verdict.passports.passports if parts.verdict and parts.verdict.passports else {}
    found = {}
    for key, row in rows.items():
        told = parts.scaled.get(key, {})
        ends = _scaled_ends(row, told)
        passport = passports.get(key)
        found[key] = replace(
            row,
            negative=told.get("negative"),
            positive=told.get("positive"),
            positive_sd=told.get("positive_sd"),
            scaled=told.get("scaled"),
            scaled_low=ends[0],
            scaled_high=ends[1],
            not_scaled=told.get("reason") if told else "it has no value of the whole task",
            passport=None if passport is None else passport.shown,
            passport_reason=None if passport is None else passport.reason,
        )
    return found


def _scaled_ends(row: Score, told: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The interval of the value between the same two anchors, which are taken as they are."""
    if told.get("scaled") is None or row.low is None or row.high is None or row.direction == "target":
        return None, None
    zero, one = told["negative"], told["positive"]
    ends = sorted((end - zero) / (one - zero) for end in (row.low, row.high))
    return ends[0], ends[1]


def _with_differences(rows: Mapping[str, Score], controls: ControlSet, parts: Parts) -> dict[str, Score]:
    """Beside the strongest negative control of each metric."""
    others = ControlSet({one.card.name: one for one in controls if one.card.name != parts.own})
    span = spans(controls, [key for key in rows if key in parts.against])
    found = {}
    for key, row in rows.items():
        if key in parts.against:
            name, interval = parts.against[key]
            row = replace(row, control=name, of_control=known(controls[name].overall(key)))
            found[key] = _beside(row, interval, span.get(key))
            continue
        strongest = others.strongest(key)
        if strongest is None:
            found[key] = replace(row, outcome="not ranked" if row.direction == "none" else "undefined")
        else:
            found[key] = replace(row, control=strongest.card.name, of_control=known(strongest.overall(key)))
    return found


def _beside(row: Score, interval: Interval, span: float | None) -> Score:
    return replace(
        row,
        difference=known(interval.estimate),
        difference_low=known(interval.low),
        difference_high=known(interval.high),
        method=interval.method if np.isfinite(interval.low) else interval.reason,
        p=known(interval.p),
        outcome=outcome(interval, span, informative=row.passport != "uninformative"),
    )


def outcome(interval: Interval, span: float | None, *, informative: bool = True) -> Outcome:
    """What an interval of a difference to a control says, in one word."""
    if not informative:
        return "uninformative"
    if not math.isfinite(interval.low):
        return "undefined"
    if interval.above:
        return "better"
    if interval.below:
        return "worse"
    if span is not None and non_inferior(interval, span):
        return "as good"
    return "underpowered" if span is not None and underpowered(interval, span) else "open"
