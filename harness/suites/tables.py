"""The tables of a suite's report: a table per task, ablations with paired differences, scores by amount of training data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.controls.control_set import ControlSet
from harness.controls.scaled import scaled_scores
from harness.metrics.card import Direction, cards
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval
from harness.suites.evidence import Evidence, Runs, Unknown, finite
from harness.suites.sentence import BEST
from harness.suites.suite_file import AblationEntry
from harness.suites.tasks import MissingTask, OpenTask, scaled_name
from harness.verdicts.direction import goodness
from harness.verdicts.gates_case import PRIMARY
from harness.verdicts.intervals import differences


@dataclass(frozen=True)
class Score:
    """One metric of one submission on one task."""

    value: float | None
    """Mean over seeds."""
    sd: float | None
    """Over seeds."""
    scaled: float | None
    """Mean over seeds; 0 is the train mean, 1 a replicate."""
    reason: str
    """Why there is no value."""


@dataclass(frozen=True)
class Row:
    """One submission on one task."""

    entry: str
    kind: str
    """`submission` or `control`."""
    runs: tuple[str, ...]
    """Folders of its runs, each with its own scorecard."""
    missing: str
    scores: dict[str, Score]
    gates_failed: tuple[str, ...] | None
    against_best: dict[str, tuple[str, Interval]]
    """Metric → the strongest baseline and the difference to it, above 0 where the submission is better."""


@dataclass(frozen=True)
class TaskTable:
    """One task."""

    task: str
    gene_space: str
    rows: tuple[Row, ...]
    undecidable: tuple[str, ...]
    """What this task cannot tell, whatever runs on it."""
    missing: str = ""
    """Why the task is not here."""


@dataclass(frozen=True)
class AblationRow:
    """A model against itself without something."""

    task: str
    metric: str
    model: str
    without: str
    interval: Interval | None
    q: float | None
    reason: str


def task_tables(evidence: Evidence) -> tuple[TaskTable, ...]:
    """A table per task of the file."""
    return tuple(_table(evidence, name) for name in evidence.suite.task_names)


def _table(evidence: Evidence, name: str) -> TaskTable:
    opened = evidence.task(name)
    if isinstance(opened, MissingTask):
        return TaskTable(name, "", (), (), opened.reason)
    controls = evidence.controls(name)
    metrics = evidence.suite.metrics
    rows = [_row(evidence, evidence.runs(name, entry), controls) for entry in evidence.entries_on(name)]
    if controls is not None:
        rows += [_control_row(one.card.name, controls, metrics) for one in controls.of_kind("negative")]
    return TaskTable(name, opened.gene_space, tuple(rows), _undecidable(evidence, opened, rows))


def _row(evidence: Evidence, runs: Runs, controls: ControlSet | None) -> Row:
    names = tuple(run.path.name for run in runs.sound)
    metrics = evidence.suite.metrics
    try:
        failed = runs.failed_gates(None) if runs.sound else None
    except Unknown:
        failed = None
    against: dict[str, tuple[str, Interval]] = {}
    for metric in metrics if not runs.missing else ():
        try:
            best = evidence.opponent(runs.task, BEST, metric, runs.entry)
        except Unknown:
            continue
        against[metric] = best.name, differences(runs.side(), best, [metric], resamples=0)[metric]
    scores = {metric: _score(runs, metric, controls) for metric in metrics}
    return Row(runs.entry, "submission", names, runs.missing, scores, failed, against)


def _score(runs: Runs, metric: str, controls: ControlSet | None) -> Score:
    values = np.array([table.overall.get(metric, math.nan) for table in runs.tables])
    if not values.size or not np.isfinite(values).all():
        return Score(None, None, None, runs.why_undefined(metric) or runs.missing or "no value")
    scaled: list[float] = []
    if controls is not None:
        for table in runs.tables:
            told = scaled_scores(table, controls).get(metric)
            if told is not None and told.scaled is not None:
                scaled.append(told.scaled)
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    whole = len(scaled) == len(values)
    return Score(float(values.mean()), sd, float(np.mean(scaled)) if whole else None, "")


def _control_row(name: str, controls: ControlSet, metrics: Sequence[str]) -> Row:
    found = controls[name]
    scores = {
        metric: Score(
            finite(found.overall(metric)),
            None,
            None,
            "" if finite(found.overall(metric)) is not None else "no value",
        )
        for metric in metrics
    }
    return Row(name, "control", (), "", scores, None, {})


def _undecidable(evidence: Evidence, task: OpenTask, rows: Sequence[Row]) -> tuple[str, ...]:
    """What no submission could show here: metrics without a value or a passport, labels that cannot be exchanged."""
    told = []
    ran = [evidence.runs(task.name, row.entry) for row in rows if row.kind == "submission" and row.runs]
    for metric in evidence.suite.metrics if ran else ():
        reasons = [runs.why_undefined(metric) for runs in ran]
        if all(reasons):
            told.append(f"{metric}: {reasons[0]}")
            continue
        passport = evidence.passport(task.name, metric)
        if passport is not None and not passport.granted:
            told.append(f"{metric} has no passport: {passport.reason}")
    judged = [one for runs in ran for one in runs.verdicts]
    if judged and all(one.specificity is None for one in judged):
        told.append("label permutation: no context has two perturbations whose labels could be exchanged")
    return tuple(told)


def ablation_tables(evidence: Evidence) -> tuple[tuple[AblationEntry, tuple[AblationRow, ...]], ...]:
    """Every ablation of the file; p adjusted over all rows of a table."""
    return tuple((entry, _ablation(evidence, entry)) for entry in evidence.suite.ablations)


def _ablation(evidence: Evidence, entry: AblationEntry) -> tuple[AblationRow, ...]:
    found = [
        _paired(evidence, (task, metric), entry.model, without)
        for task in entry.tasks or evidence.suite.task_names
        for metric in entry.metrics or _directed(evidence.suite.metrics)[:1]
        for without in entry.without
    ]
    p = [one.interval.p for one in found if one.interval is not None and math.isfinite(one.interval.p)]
    q = iter(benjamini_hochberg(p).q if p else ())
    return tuple(
        AblationRow(**{**vars(one), "q": next(q)})
        if one.interval is not None and math.isfinite(one.interval.p)
        else one
        for one in found
    )


def _paired(evidence: Evidence, where: tuple[str, str], model: str, without: str) -> AblationRow:
    task, metric = where
    try:
        sides = evidence.runs(task, model).side(), evidence.runs(task, without).side()
    except Unknown as unknown:
        return AblationRow(task, metric, model, without, None, None, unknown.what)
    interval = differences(*sides, [metric])[metric]
    if not interval.n:
        why = evidence.runs(task, model).why_undefined(metric) or interval.reason
        return AblationRow(task, metric, model, without, None, None, why)
    return AblationRow(task, metric, model, without, interval, None, interval.reason)


def _directed(metrics: Sequence[str]) -> list[str]:
    return [one for one in metrics if cards()[one].direction is not Direction.NONE]


@dataclass(frozen=True)
class EfficiencyRow:
    """One submission after a part of the training cells."""

    task: str
    entry: str
    fraction: float
    value: float | None
    gain: Interval | None
    """What all training cells gain over this part, above 0 where more is better."""
    reason: str


def efficiency_rows(evidence: Evidence) -> tuple[EfficiencyRow, ...]:
    """The data-efficiency table of the file, if it asks for one."""
    told = evidence.suite.data_efficiency
    if told is None:
        return ()
    rows = []
    for task in told.tasks:
        if isinstance(evidence.task(task), MissingTask):
            continue
        for entry in told.submissions:
            for fraction in sorted(told.fractions):
                rows.append(_efficiency(evidence, task, entry, fraction, told.metric))
    return tuple(rows)


def _efficiency(evidence: Evidence, task: str, entry: str, fraction: float, metric: str) -> EfficiencyRow:
    part = evidence.runs(scaled_name(task, fraction), entry)
    try:
        side = part.side()
        values = [table.overall.get(metric, math.nan) for table in side.tables]
        value = finite(float(np.mean(values)))
        whole = evidence.runs(task, entry)
        gain = None if fraction == 1 or whole.missing else differences(whole.side(), side, [metric])[metric]
    except Unknown as unknown:
        return EfficiencyRow(task, entry, fraction, None, None, unknown.what)
    return EfficiencyRow(
        task, entry, fraction, value, gain, "" if value is not None else part.why_undefined(metric)
    )


def primary_of(evidence: Evidence, task: str) -> str:
    """The first metric of the file that has a value on a task."""
    for metric in (*evidence.suite.metrics, *PRIMARY):
        for entry in evidence.entries_on(task):
            if any(math.isfinite(t.overall.get(metric, math.nan)) for t in evidence.runs(task, entry).tables):
                return metric
    return evidence.suite.metrics[0]


def better_in(row: Row, metric: str) -> float | None:
    """A row's value such that more is better, for the order of a table."""
    value = row.scores[metric].value
    return None if value is None else float(goodness(cards()[metric], np.array([value]))[0])


def row_document(row: Row) -> dict[str, Any]:
    """A row as a JSON object."""
    return {
        "name": row.entry,
        "kind": row.kind,
        "runs": list(row.runs),
        "missing": row.missing or None,
        "gates_failed": None if row.gates_failed is None else list(row.gates_failed),
        "scores": {
            metric: vars(score) | {"reason": score.reason or None} for metric, score in row.scores.items()
        },
        "against_best_baseline": {
            metric: {"baseline": name, "difference": interval.document()}
            for metric, (name, interval) in row.against_best.items()
        },
    }
