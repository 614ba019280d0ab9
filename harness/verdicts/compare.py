"""Several submissions on one task: every pair compared, in one family, and an order that says no more than that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from harness.metrics.card import cards
from harness.scoring.score_table import Floats
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval, paired_intervals
from harness.statistics.power import minimum_detectable_difference, underpowered
from harness.statistics.ranks import Place, places
from harness.verdicts.intervals import Side, match

ALPHA = 0.05
Word = Literal[
    "better", "equal", "no difference shown", "underpowered", "not comparable", "leaves conditions out"
]


@dataclass(frozen=True)
class Pair:
    """Two submissions on one metric."""

    ours: str
    """The one with the better mean."""
    theirs: str
    interval: Interval
    """Of the difference `ours` − `theirs`, more is better; over the conditions that all submissions define."""
    q: float
    """p, adjusted within the family; NaN where there is no interval."""
    detectable: float
    """The difference that four of five repetitions would have found; NaN where there is no interval."""
    word: Word
    """`better` needs the interval above 0 and q below 0.05; `underpowered` where a tenth of the span from baseline to
    replicate could not have been seen; `equal` only where every value is; `leaves conditions out` where the better one has
    no value in conditions in which the other has one."""


@dataclass(frozen=True)
class Standing:
    """One submission on one metric."""

    name: str
    value: float
    """Of the task, mean over seeds; over all conditions that it defines."""
    shared: float
    """Mean over the conditions that all submissions define, contexts counting equally; what is ranked."""
    undefined: int
    """Conditions without a value in one of its seeds."""
    left_out: int
    """Those of them in which another has a value."""
    place: Place | None
    """None where the metric ranks nobody, or where this one leaves conditions out."""


@dataclass(frozen=True)
class MetricComparison:
    """All submissions on one metric."""

    metric: str
    standings: tuple[Standing, ...]
    """Best first."""
    pairs: tuple[Pair, ...]
    n: int
    """Conditions that all submissions define."""
    span: float | None
    """From baseline to replicate, where the controls are known."""
    not_ranked: str | None
    """Why it ranks nobody."""


@dataclass(frozen=True)
class Comparison:
    """Several submissions on one task."""

    metrics: tuple[MetricComparison, ...]
    family: int
    """Tests that were adjusted together: all pairs on all metrics shown."""
    seeds: Mapping[str, int]
    """Training seeds of each submission."""

    def document(self) -> dict[str, Any]:
        """The comparison as a JSON object."""
        return {
            "schema": 1,
            "family": {"size": self.family, "method": "Benjamini-Hochberg", "level": ALPHA},
            "submissions": [{"name": name, "seeds": seeds} for name, seeds in self.seeds.items()],
            "metrics": [_document(one) for one in self.metrics],
        }


def compare(
    sides: Sequence[Side],
    metrics: Sequence[str],
    *,
    spans: Mapping[str, float] | None = None,
    uninformative: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare every pair of submissions on every metric, on the conditions that all of them define.

    `spans`: from baseline to replicate, by metric, more is better. `uninformative`: metrics that have no passport, with
    the reason; they are shown and rank nobody.
    """
    conditions = match(sides)
    values = [side.values(metrics) for side in sides]  # [conditions, seeds, metrics] each
    known = np.stack([np.isfinite(one).all(axis=1) for one in values])  # [sides, conditions, metrics]
    defined = np.asarray(known.all(axis=0))
    left_out = np.asarray(known.any(axis=0)) & ~known
    shared = [np.where(defined[:, None, :], one, np.nan) for one in values]
    contexts = [one.context for one in conditions]
    perturbations = [one.perturbation for one in conditions]
    pairs = list(combinations(range(len(sides)), 2))
    found = [paired_intervals(shared[i], shared[j], contexts, perturbations) for i, j in pairs]
    tested = [interval.p for each in found for interval in each if math.isfinite(interval.p)]
    adjusted = iter(benjamini_hochberg(tested).q if tested else ())
    q = [[next(adjusted) if math.isfinite(one.p) else math.nan for one in each] for each in found]
    alone = [paired_intervals(one, None, contexts, perturbations, resamples=0) for one in shared]
    compared = []
    for k, metric in enumerate(metrics):
        span = (spans or {}).get(metric)
        told = tuple(
            _pair(
                (sides[i].name, sides[j].name),
                found[at][k],
                q[at][k],
                span,
                (bool((known[j] & ~known[i])[:, k].any()), bool((known[i] & ~known[j])[:, k].any())),
            )
            for at, (i, j) in enumerate(pairs)
        )
        means = np.array([one[k].estimate for one in alone])
        lost = [(int((~known[i, :, k]).sum()), int(left_out[i, :, k].sum())) for i in range(len(sides))]
        reason = _not_ranked(metric, means, (uninformative or {}).get(metric))
        standings = _standings(sides, metric, means, lost, told, ranked=reason is None)
        compared.append(MetricComparison(metric, standings, told, int(defined[:, k].sum()), span, reason))
    seeds = {side.name: len(side.tables) for side in sides}
    return Comparison(tuple(compared), len(tested), seeds)


def _pair(
    names: tuple[str, str], interval: Interval, q: float, span: float | None, leaves_out: tuple[bool, bool]
) -> Pair:
    """The better one first."""
    if interval.estimate < 0:
        names, interval, leaves_out = names[::-1], interval.turned(), leaves_out[::-1]
    detectable = minimum_detectable_difference(interval.se, interval.freedom, level=interval.level)
    return Pair(*names, interval, q, detectable, _word(interval, q, span, leaves_out[0]))


def _word(interval: Interval, q: float, span: float | None, leaves_out: bool) -> Word:
    if not math.isfinite(interval.low):
        return "not comparable"
    if interval.low == interval.high == 0:
        return "equal"
    if q < ALPHA and interval.above:
        return "leaves conditions out" if leaves_out else "better"
    if span is not None and underpowered(interval, span):
        return "underpowered"
    return "no difference shown"


def _not_ranked(metric: str, means: Floats, uninformative: str | None) -> str | None:
    if not np.isfinite(means).all():
        whole = cards()[metric].unit == "task"
        return (
            "it is one number for the whole task" if whole else "no condition has a value of every submission"
        )
    if uninformative is not None:
        return f"uninformative: {uninformative}"
    if not cards()[metric].may_rank:
        return "a metric as published, or a diagnosis: it may be looked at, it ranks nobody"
    return None


def _standings(
    sides: Sequence[Side],
    metric: str,
    means: Floats,
    lost: Sequence[tuple[int, int]],
    pairs: Sequence[Pair],
    *,
    ranked: bool,
) -> tuple[Standing, ...]:
    number = {side.name: i for i, side in enumerate(sides)}
    better = np.zeros((len(sides), len(sides)), np.bool_)
    for pair in pairs:
        better[number[pair.ours], number[pair.theirs]] = pair.word == "better"
    whole = [i for i in range(len(sides)) if not lost[i][1]]
    found = dict(zip(whole, places(means[whole], better[np.ix_(whole, whole)]), strict=True))
    card = cards()[metric]
    turned = -1.0 if card.direction == "lower" else 1.0  # of a target, minus the distance to it is shown
    standings = [
        Standing(
            side.name,
            float(np.mean([table.overall.get(metric, np.nan) for table in side.tables])),
            float(turned * means[i]) + 0.0,
            *lost[i],
            found.get(i) if ranked else None,
        )
        for i, side in enumerate(sides)
    ]
    order = np.argsort(-means, kind="stable")
    return tuple(standings[i] for i in order)


def _document(one: MetricComparison) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    return {
        "metric": one.metric,
        "conditions": one.n,
        "span": number(one.span),
        "not_ranked": one.not_ranked,
        "standings": [
            {
                "name": each.name,
                "value": number(each.value),
                "shared": number(each.shared),
                "undefined": each.undefined,
                "left_out": each.left_out,
                "group": each.place.group if each.place else None,
                "ranks": [each.place.low, each.place.high] if each.place else None,
            }
            for each in one.standings
        ],
        "pairs": [
            {
                "ours": pair.ours,
                "theirs": pair.theirs,
                "word": pair.word,
                "q": number(pair.q),
                "minimum_detectable_difference": number(pair.detectable),
                "difference": pair.interval.document(),
            }
            for pair in one.pairs
        ],
    }
