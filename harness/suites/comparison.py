"""One comparison of a claim: a submission and one opponent on one metric of one task, with everything that speaks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from harness.metrics.card import cards
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval, paired_intervals
from harness.statistics.power import minimum_detectable_difference
from harness.suites.evidence import Evidence, Runs, Unknown, finite
from harness.suites.sentence import Sentence, Verb
from harness.suites.tasks import MissingTask
from harness.verdicts.intervals import differences, left_out
from harness.verdicts.passports import Passport


@dataclass(frozen=True)
class Value:
    """The value of a metric that a claim puts a limit to."""

    estimate: float
    low: float
    high: float
    how: str


@dataclass(frozen=True)
class Comparison:
    """What is known of one comparison."""

    task: str
    ours: str
    theirs: str
    metric: str
    seeds: int = 0
    """Training seeds of the side that has fewer; a control has none."""
    interval: Interval | None = None
    """Of the difference, above 0 where ours is better."""
    left_out: int = 0
    """Conditions in which the opponent has a value and ours has none."""
    span: float | None = None
    passport: Passport | None = None
    permutation_p: float | None = None
    failed_gates: tuple[str, ...] | None = None
    gates_unknown: str = ""
    q: float | None = None
    family: int = 0
    value: Value | None = None
    unknown: str = ""
    """Why nothing is known."""

    def document(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        interval = self.interval
        detectable = (
            minimum_detectable_difference(interval.se, interval.freedom, level=interval.level)
            if interval is not None
            else None
        )
        return {
            "task": self.task,
            "ours": self.ours,
            "theirs": self.theirs,
            "metric": self.metric,
            "seeds": self.seeds,
            "difference": None if interval is None else interval.document(),
            "minimum_detectable_difference": finite(detectable),
            "left_out": self.left_out,
            "span": finite(self.span),
            "passport": None if self.passport is None else self.passport.granted,
            "permutation_p": finite(self.permutation_p),
            "failed_gates": None if self.failed_gates is None else list(self.failed_gates),
            "q": finite(self.q),
            "family": self.family,
            "value": None if self.value is None else {**vars(self.value)},
            "unknown": self.unknown or None,
        }


def comparisons(evidence: Evidence, said: Sentence, gates: Sequence[str] | None) -> tuple[Comparison, ...]:
    """Every comparison of a sentence: each task with each opponent."""
    objects: Sequence[str] = said.objects or ("",)
    return tuple(_one(evidence, said, task, name, gates) for task in said.tasks for name in objects)


def adjusted(families: Sequence[tuple[Comparison, ...]]) -> list[tuple[Comparison, ...]]:
    """The same with q: all comparisons of all claims of a suite are one family."""
    p = [
        one.interval.p
        for each in families
        for one in each
        if one.interval is not None and math.isfinite(one.interval.p)
    ]
    q = iter(benjamini_hochberg(p).q if p else ())
    return [
        tuple(
            replace(one, q=next(q), family=len(p))
            if one.interval is not None and math.isfinite(one.interval.p)
            else one
            for one in each
        )
        for each in families
    ]


def _one(
    evidence: Evidence, said: Sentence, task: str, theirs: str, gates: Sequence[str] | None
) -> Comparison:
    bare = Comparison(task, said.subject, theirs, said.metric, passport=evidence.passport(task, said.metric))
    opened = evidence.task(task)
    if isinstance(opened, MissingTask):
        return replace(bare, unknown=opened.reason)
    try:
        if said.verb is Verb.SOUND:
            return _controls(evidence, bare)
        if said.verb is Verb.LIES:
            return _value(evidence.runs(task, said.subject), bare)
        return _difference(evidence, bare, gates)
    except Unknown as unknown:
        return replace(bare, unknown=unknown.what)


def _controls(evidence: Evidence, bare: Comparison) -> Comparison:
    if evidence.controls(bare.task) is None:
        why = [evidence.runs(bare.task, entry).missing for entry in evidence.entries_on(bare.task)]
        raise Unknown(next(filter(None, why), f"no run on {bare.task} was held against controls"))
    return bare


def _difference(evidence: Evidence, bare: Comparison, gates: Sequence[str] | None) -> Comparison:
    ours = evidence.opponent(bare.task, bare.ours, bare.metric, bare.ours)
    runs = evidence.runs(bare.task, bare.ours)
    theirs = evidence.opponent(bare.task, bare.theirs, bare.metric, bare.ours)
    interval = differences(ours, theirs, [bare.metric])[bare.metric]
    if not interval.n:
        why = runs.why_undefined(bare.metric)
        raise Unknown(f"{bare.metric} has no value there{': ' * bool(why)}{why}")
    failed: tuple[str, ...] | None = None
    unknown = ""
    try:
        failed = runs.failed_gates(gates)
    except Unknown as reason:
        unknown = reason.what
    return replace(
        bare,
        theirs=theirs.name,
        seeds=min(len(side.tables) for side in (ours, theirs) if side is ours or side.name == bare.theirs),
        interval=interval,
        left_out=left_out(ours, theirs, [bare.metric])[bare.metric],
        span=evidence.span(bare.task, bare.metric),
        permutation_p=runs.permutation_p,
        failed_gates=failed,
        gates_unknown=unknown,
    )


def _value(runs: Runs, bare: Comparison) -> Comparison:
    tables = runs.side().tables
    told = replace(bare, seeds=len(tables))
    if cards()[bare.metric].unit == "condition" and bare.metric in tables[0].values:
        reported = [table.of_kind() for table in tables]
        values = np.stack([one.values[bare.metric] for one in reported], axis=1)[:, :, None]
        found = paired_intervals(values, None, reported[0].contexts, reported[0].perturbations)[0]
        if found.n:
            how = f"{found.method}, {found.scope}, {found.n} conditions"
            return replace(told, value=Value(found.estimate, found.low, found.high, how))
    values = np.array([table.overall.get(bare.metric, np.nan) for table in tables])
    if not np.isfinite(values).all():
        why = runs.why_undefined(bare.metric)
        raise Unknown(f"{bare.metric} has no value there{': ' * bool(why)}{why}")
    mean, reach = float(values.mean()), math.inf
    if len(values) > 1:
        reach = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))
    how = f"Student's t over {len(values)} training seeds, the conditions as they are"
    return replace(told, value=Value(mean, mean - reach, mean + reach, how))
