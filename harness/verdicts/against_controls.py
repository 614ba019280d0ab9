"""A submission beside the controls of its task: the span that differences are measured by, and claims against baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
    anchors = (NEGATIVE_ANCHOR, CENTRED_ANCHOR, POSITIVE_ANCHOR)
    means = {name: _means(controls.get(name), metrics) for name in anchors}
    found = {}
    for metric in metrics:
        low = means[CENTRED_ANCHOR if metric in CENTRED else NEGATIVE_ANCHOR].get(metric, math.nan)
        span = means[POSITIVE_ANCHOR].get(metric, math.nan) - low
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
    strongest: dict[str, str] = {}
    for metric in metrics:
        best = others.strongest(metric)
        if best is not None and metric in best.tables[0].values:
            strongest[metric] = best.card.name
    found = {
        name: differences(
            model,
            Side(name, others[name].tables),
            [metric for metric, one in strongest.items() if one == name],
        )
        for name in dict.fromkeys(strongest.values())
    }
    return {metric: (name, found[name][metric]) for metric, name in strongest.items()}


def claims(
    model: Side,
    controls: ControlSet,
    metrics: Sequence[str],
    standing: Standing,
    *,
    own: str | None = None,
    against: Mapping[str, tuple[str, Interval]] | None = None,
) -> tuple[Claim, ...]:
    """A claim per metric against its strongest negative control; p adjusted over these metrics.

    Where the model is not shown to beat it, but to be as good, that is claimed instead. `against` is what
    `against_strongest` found of these metrics and maybe others, where that is known already.
    """
    if against is None:
        against = against_strongest(model, controls, metrics, own=own)
    found = {metric: against[metric] for metric in metrics if metric in against}
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


def _means(control: ControlScore | None, metrics: Sequence[str]) -> dict[str, float]:
    """By metric the mean over replicates, conditions and contexts; only what the control has."""
    if control is None or not control.tables:
        return {}
    reported = [table.of_kind() for table in control.tables]
    return {
        metric: level_mean(
            goodness(cards()[metric], np.mean([table.values[metric] for table in reported], axis=0)),
            reported[0].contexts,
        )
        for metric in metrics
        if metric in reported[0].values
    }
