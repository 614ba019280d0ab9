"""The verdict in one sentence, compiled from the record, the gates and the headline; no word of it is written by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from harness.contract.status import RunStatus
from harness.reporting.page import number, signed
from harness.reporting.scorecard.parts import Parts
from harness.reporting.scorecard.scores import outcome
from harness.reporting.scorecard.sheet import Kind, Score, Sentence
from harness.statistics.intervals import Interval
from harness.statistics.power import minimum_detectable_difference
from harness.verdicts.against_controls import spans
from harness.verdicts.gates_case import Gate

ONE_SEED = "one training seed describes this run; nothing is claimed of the submission from fewer than three"
QUICK = "it was scored without controls, so that nothing can be claimed of it"
FILLED = "its variance is filled from the training residuals by the harness: what its uncertainty scores is not its own"
NO_VARIANCE = "it gives no variance, and none could be filled"
HOUSE = "made by the harness's own authors, who are judge and party here"
LONGEST = 600


def sentence(parts: Parts, headline: Sequence[Score], *, house: bool) -> Sentence:
    """What the run came to."""
    record = parts.record
    remarks = [HOUSE] if house else []
    remarks += [] if parts.metrics is None else _remarks(parts)
    if record.status is RunStatus.HELD:
        return Sentence(
            f"Held, a leak is suspected: {_short(record.reason)}. It ranks nobody", "bad", tuple(remarks)
        )
    if record.status is RunStatus.INCOMPLETE:
        return Sentence(
            f"Incomplete: {_short(record.reason)}. It ranks nobody",
            "bad",
            (*remarks, *_standing(headline)),
        )
    if parts.metrics is None:
        return Sentence(_not_scored(record.status, record.reason), _kind(record.status), tuple(remarks))
    if parts.verdict is None or parts.controls is None:
        return Sentence(f"A quick look: {QUICK}", "warn", tuple(remarks))
    lead, kind = _primary(parts)
    failed = [gate.name for gate in parts.verdict.gates if gate.state == "fail"]
    if failed:
        remarks.insert(0, f"gates not passed: {', '.join(failed)}")
        kind = "warn" if kind == "good" else kind
    remarks += _without_vote(headline)
    said = [lead, *_standing(headline), _panels(parts), _isolation(parts)]
    return Sentence("; ".join(said), kind, (*remarks, ONE_SEED))


def _primary(parts: Parts) -> tuple[str, Kind]:
    """What the gate of the primary metric says, against the control that was hardest to beat."""
    assert parts.verdict is not None
    assert parts.controls is not None
    gate, metric = parts.verdict.gate("beats controls"), parts.verdict.primary
    intervals = _intervals(gate)
    if gate.state == "not applicable":
        return f"No verdict: {gate.reason}", "plain"
    if not intervals:
        return f"No verdict rests on {metric}: {_after(gate.reason, metric)}", "warn"
    hardest = min(intervals, key=lambda name: _low(intervals[name]))
    found = intervals[hardest]
    if gate.state == "pass":
        return (
            f"Better than each of {len(intervals)} trivial controls on {metric}, by {_said(found)} than {hardest}, "
            "the hardest of them",
            "good",
        )
    span = spans(parts.controls, [metric]).get(metric)
    word = outcome(found, span)
    if word == "worse":
        return f"Worse than the trivial control {hardest} on {metric}, by {_said(found)}", "bad"
    if word == "as good":
        return f"As good as the trivial control {hardest} on {metric}, and no better: {_said(found)}", "warn"
    if word == "underpowered" and span is not None:
        least = minimum_detectable_difference(found.se, found.freedom, level=found.level)
        return (
            f"Underpowered on {metric}: {_said(found)} beside {hardest}; only a difference of {number(least)} could "
            f"have been seen, and a replicate lies {number(span)} above the baseline",
            "warn",
        )
    return f"Not shown to be better than the trivial control {hardest} on {metric}: {_said(found)}", "warn"


def _standing(headline: Sequence[Score]) -> list[str]:
    """On how many headline metrics the run is better than the best control, of those that have a vote here."""
    voting = [row for row in headline if row.passport == "passport"]
    if not voting:
        return []
    better, worse = (sum(row.outcome == word for row in voting) for word in ("better", "worse"))
    said = f"better than the best control on {better} of {len(voting)} headline metrics with a passport"
    return [said + (f", worse on {worse}" if worse else "")]


def _without_vote(headline: Sequence[Score]) -> list[str]:
    """Headline metrics that say nothing on this task, or were not tried for that."""
    silent = [row.metric for row in headline if row.passport == "uninformative"]
    apart = [row.metric for row in headline if row.control is not None and row.passport is None]
    said = [f"uninformative on this task, and without a vote: {', '.join(silent)}"] if silent else []
    return said + ([f"one value of the task, which no passport judges: {', '.join(apart)}"] if apart else [])


def _panels(parts: Parts) -> str:
    assert parts.metrics is not None
    missing = parts.metrics["missing"]
    return f"{len(missing)} metrics have neither value nor reason" if missing else "panels complete"


def _isolation(parts: Parts) -> str:
    """The level that was in force, in words."""
    record = parts.record
    held = record.guarantees
    if held is None:
        return f"isolation: {record.isolation}"
    network = "no network" if "offline" in held.granted else "network not shut off"
    lacking = [name for name in held.lacking if name != "offline"]
    return f"isolation: {record.isolation}, {network}" + (
        f", without {', '.join(lacking)}" if lacking else ""
    )


def _remarks(parts: Parts) -> list[str]:
    assert parts.metrics is not None
    source = parts.metrics["variance"]["source"]
    said = [FILLED] if source == "filled" else [NO_VARIANCE] if source == "none" else []
    shares = parts.metrics.get("supported")
    if shares and shares["native"] < 1:
        said.append(
            f"it speaks itself of {shares['native']:.0%} of the rows; {shares['extension']:.0%} are by an extension of its "
            f"method, {shares['fallback']:.0%} by a fallback"
        )
    if parts.record.rescored_from:
        said.append(f"its predictions were scored anew; they come from {parts.record.rescored_from}")
    return said + [f"not ranked: {reason}" for reason in parts.metrics["predictions"]["not_ranked"]]


def _not_scored(status: RunStatus, reason: str) -> str:
    word = status.value.replace("_", " ").capitalize()
    told = _short(reason)
    meant = "" if told == status.meaning else f": {told}"
    return f"{word}, {status.meaning}{meant}. Nothing was scored"


def _kind(status: RunStatus) -> Kind:
    return "plain" if status in (RunStatus.DECLINED, RunStatus.INTERRUPTED) else "bad"


def _short(reason: str) -> str:
    """A reason on one line; whoever wrote it, it does not fill the page."""
    line = " ".join(reason.split()).rstrip(".")
    return line if len(line) <= LONGEST else line[:LONGEST] + " …"


def _after(reason: str, metric: str) -> str:
    """The reason of a gate without the name of the metric, which was said before."""
    return reason.removeprefix(f"{metric} is ").removeprefix(f"{metric}: ")


def _intervals(gate: Gate) -> dict[str, Interval]:
    told: Mapping[str, Mapping[str, Any]] = gate.details.get("controls", {})
    names = [field.name for field in fields(Interval)]
    found: dict[str, Interval] = {}
    for control, one in told.items():
        values: dict[str, Any] = {name: math.nan if one[name] is None else one[name] for name in names}
        found[control] = Interval(**values)
    return found


def _low(interval: Interval) -> float:
    return interval.low if math.isfinite(interval.low) else -math.inf


def _said(interval: Interval) -> str:
    if not math.isfinite(interval.low):
        return f"{signed(interval.estimate)} without an interval, {interval.reason}"
    return f"{signed(interval.estimate)} ({number(interval.low)} … {number(interval.high)})"
