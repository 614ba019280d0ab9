"""A submission beside the controls of its task: the span that differences are measured by, and claims against baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.controls.catalogue import CENTRED, CENTRED_ANCHOR, NEGATIVE_ANCHOR, POSITIVE_ANCHOR
from harness.controls.control_set import ControlScore, ControlSet
from harness.metrics.card import cards
from harness.statistics.families import benjamini_hochberg
from harness.statistics.intervals import Interval
from harness.verdicts.claims import Claim, Support, as_good_as, beats
from harness.verdicts.direction import goodness, level_mean
from harness.verdicts.intervals import Side, differences, left_out
from harness.verdicts.passports import Passport


@dataclass(frozen=True)
class Standing:
    """What of a submission's standing every claim needs, whatever the metric. None is what was not determined."""

    regime: str
    """Task and evaluation split in words."""
    passports: Mapping[str, Passport] | None
    failed_gates: tuple[str, ...] | None
    permutation_p: float | None
    other_runs: int = 0
    """Runs of the same configuration that were not brought forward."""


def spans(controls: ControlSet, metrics: Sequence[str]) -> dict[str, float]:
    """By metric how far a replicate lies above the baseline, over conditions as intervals are; only where that is known."""
    found = {}
    for metric in metrics:
        low = _mean(controls.get(CENTRED_ANCHOR if metric in CENTRED else NEGATIVE_ANCHOR), metric)
        span = _mean(controls.get(POSITIVE_ANCHOR), metric) - low
        if math.isfinite(span):
            found[metric] = span
    return found


def against_strongest(
    model: Side, controls: ControlSet, metrics: Sequence[str], *, own: str | None = None
) -> dict[str, tuple[str, Interval]]:
    """By metric the strongest negative control and the paired difference to it, above 0 where the model is better.

    `own` is the control that the model is, which it is not held against. Metrics without any such control are left out.
    """
    others = ControlSet({one.card.name: one for one in controls if one.card.name != own})
    found = {}
    for metric in metrics:
        strongest = others.strongest(metric)
        if strongest is not None and metric in strongest.tables[0].values:
            baseline = Side(strongest.card.name, strongest.tables)
            found[metric] = strongest.card.name, differences(model, baseline, [metric])[metric]
    return found


def claims(
    model: Side,
    controls: ControlSet,
    metrics: Sequence[str],
    standing: Standing,
    *,
    own: str | None = None,
) -> tuple[Claim, ...]:
    """A claim per metric against its strongest negative control; p adjusted over these metrics.

    Where the model is not shown to beat it, but to be as good, that is claimed instead.
    """
    found = against_strongest(model, controls, metrics, own=own)
    tested = [metric for metric, (_, interval) in found.items() if math.isfinite(interval.p)]
    p = [found[metric][1].p for metric in tested]
    q = dict(zip(tested, benjamini_hochberg(p).q, strict=True)) if p else {}
    span = spans(controls, metrics)
    return tuple(
        _claim(
            _support(
                model, metric, *found[metric], standing, (q.get(metric), len(p)), span.get(metric), controls
            )
        )
        for metric in found
    )


def _claim(support: Support) -> Claim:
    best = beats(support)
    if best.shown:
        return best
    same = as_good_as(support)
    return same if same.shown else best


def _support(
    model: Side,
    metric: str,
    baseline: str,
    interval: Interval,
    standing: Standing,
    adjusted: tuple[float | None, int],
    span: float | None,
    controls: ControlSet,
) -> Support:
    passport = None if standing.passports is None else standing.passports.get(metric)
    return Support(
        model=model.name,
        baseline=baseline,
        metric=metric,
        regime=standing.regime,
        interval=interval,
        permutation_p=standing.permutation_p,
        q=adjusted[0],
        family=adjusted[1],
        passport=None if passport is None else passport.granted,
        passport_reason="" if passport is None else passport.reason,
        failed_gates=standing.failed_gates,
        seeds=len(model.tables),
        other_runs=standing.other_runs,
        span=span,
        left_out=left_out(model, Side(baseline, controls[baseline].tables), [metric])[metric],
    )


def _mean(control: ControlScore | None, metric: str) -> float:
    if control is None or not control.tables or metric not in control.tables[0].values:
        return math.nan
    table = control.tables[0].of_kind()
    return level_mean(goodness(cards()[metric], control.values(metric)), table.contexts)
