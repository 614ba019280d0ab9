"""Metric passports: on this dataset, split and gene set, has a metric earned its vote?

A metric that cannot tell a replicate of the experiment from the train mean, or from no effect at all, says nothing of any
submission here: it is shown as *uninformative*, ranks nobody and carries no claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.controls.scaled import goodness as one_goodness
from harness.metrics.card import Card
from harness.scoring.score_table import Floats, Ints
from harness.statistics.intervals import Interval, paired_intervals
from harness.statistics.permutation import sign_permutation
from harness.statistics.power import minimum_detectable_difference
from harness.verdicts.direction import goodness, level_mean

Known = NDArray[np.bool_]
Verdict = Literal["pass", "fail", "not applicable"]
LEAST_RANGE = 0.1
"""Dynamic range from which controls bracket a metric."""
CLOSER_P = 0.01
STABLE = (0.5, 2.0)
"""Factors between which the best scale of a replicate must lie."""
MOST_DETECTABLE = 1.0
"""Minimum detectable difference in units of the span from the negative control to the replicate."""
FEWEST = 5
"""Conditions that a passport needs."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Evidence:
    """What the controls of a task say of one metric: one value per condition each, NaN where undefined. [conditions]"""

    nothing: Floats
    """No effect."""
    negative: Floats
    """The train mean; no effect where the metric is centred on that mean."""
    duplicate: Floats
    """The technical duplicate, mean over its halvings."""
    interpolated: Floats
    """The interpolated duplicate, likewise."""
    perfect: float
    """The value of a perfect prediction."""
    contexts: Ints
    perturbations: Ints
    overall: Mapping[str, float] = field(default_factory=dict)
    """Values of the task where they are no mean of conditions; by field name, those above included."""
    sweep: Mapping[float, Floats] = field(default_factory=dict)
    """The technical duplicate times a factor."""
    strongest: Floats | None = None
    """The strongest baseline, for metrics that need headroom above it."""


@dataclass(frozen=True)
class Condition:
    """One condition of a passport."""

    name: str
    verdict: Verdict
    number: float | None
    reason: str


@dataclass(frozen=True)
class Passport:
    """Whether one metric may rank and carry claims on one task, and why."""

    metric: str
    granted: bool
    conditions: tuple[Condition, ...]
    n: int
    """Conditions in which every control has a value."""

    @property
    def reason(self) -> str:
        """The first condition that it fails, in words; of a granted one how far the controls lie apart."""
        failed = next((one for one in self.conditions if one.verdict == "fail"), None)
        return failed.reason if failed else self.conditions[0].reason

    @property
    def shown(self) -> str:
        """The word beside the metric on a scorecard."""
        return "passport" if self.granted else "uninformative"


def passport(metric: str, card: Card, evidence: Evidence) -> Passport:
    """Judge one metric on what the controls say of it."""
    sides = [evidence.negative, evidence.duplicate, evidence.interpolated]
    known = np.asarray(np.isfinite(np.stack(sides)).all(axis=0))
    n = int(known.sum())
    if n < FEWEST:
        reason = f"both controls have a value in {n} conditions, {FEWEST} are needed"
        return Passport(metric, False, (Condition("bracketed", "fail", None, reason),), n)
    conditions = (
        _bracketed(card, evidence, known),
        _not_inverted(card, evidence, known),
        _closer(card, evidence, known),
        _stable(card, evidence, known),
        _detectable(card, evidence, known),
        _headroom(card, evidence, known),
    )
    return Passport(metric, all(one.verdict != "fail" for one in conditions), conditions, n)


def dynamic_range(negative: float, positive: float, perfect: float) -> float:
    """Share of the way from the negative control to a perfect prediction that a replicate goes; NaN without a way."""
    way = perfect - negative
    return (positive - negative) / way if abs(way) > ROUNDING else math.nan


def _bracketed(card: Card, evidence: Evidence, known: Known) -> Condition:
    """The interpolated duplicate's dynamic range, which noise in single genes does not hide."""
    negative, positive = (_value(card, evidence, side, known) for side in ("negative", "interpolated"))
    share = dynamic_range(negative, positive, one_goodness(card, evidence.perfect))
    if math.isnan(share):
        return Condition("bracketed", "fail", None, "the negative control is perfect already")
    return _found(
        "bracketed",
        share > LEAST_RANGE,
        share,
        f"a replicate goes {share:.2f} of the way from the negative control to perfect, above {LEAST_RANGE} is needed",
    )


def _not_inverted(card: Card, evidence: Evidence, known: Known) -> Condition:
    negative, positive = (_value(card, evidence, side, known) for side in ("negative", "duplicate"))
    share = dynamic_range(negative, positive, one_goodness(card, evidence.perfect))
    says = "better" if positive > negative else "no better"
    number = None if math.isnan(share) else share
    return _found(
        "not inverted",
        positive > negative,
        number,
        f"the technical duplicate is {says} than the negative control",
    )


def _closer(card: Card, evidence: Evidence, known: Known) -> Condition:
    """Paired sign permutation of how often the replicate is closer than no effect, or than the mean where that has no value.

    The share counts, not the size, so that a few conditions with next to no effect cannot decide ratios.
    """
    nothing = evidence.nothing
    against, named = (
        (nothing, "no effect") if not np.isnan(nothing[known]).all() else (evidence.negative, "the mean")
    )
    gain = goodness(card, evidence.duplicate) - goodness(card, against)
    both = known & ~np.isnan(gain)
    if not both.any():
        return Condition("replicate closer", "fail", None, f"{named} has no value")
    closer = np.sign(gain[both])
    p = float(sign_permutation(closer, evidence.perturbations[both])[0])
    return _found(
        "replicate closer",
        p < CLOSER_P,
        p,
        f"the replicate is closer than {named} in {(closer > 0).mean():.0%} of {len(closer)} conditions, "
        f"permutation p = {p:.2g}, below {CLOSER_P} is needed",
    )


def _stable(card: Card, evidence: Evidence, known: Known) -> Condition:
    """A replicate must not gain by being inflated or shrunk beyond what chance can do."""
    scores = {factor: goodness(card, values) for factor, values in evidence.sweep.items()}
    means = {factor: level_mean(values[known], evidence.contexts[known]) for factor, values in scores.items()}
    means = {factor: mean for factor, mean in means.items() if not math.isnan(mean)}
    if 1.0 not in means:
        return Condition(
            "stable under scaling", "not applicable", None, "no scale sweep of the replicate is here"
        )
    best = max(means, key=lambda factor: (means[factor], -abs(math.log(factor))))
    low, high = STABLE
    gain = _gap(scores[best], scores[1.0], evidence, known)
    return _found(
        "stable under scaling",
        low <= best <= high or not gain.above,
        best,
        f"a replicate times {best:g} scores best, a factor within {low:g} … {high:g} is needed",
    )


def _detectable(card: Card, evidence: Evidence, known: Known) -> Condition:
    found = _gap(goodness(card, evidence.duplicate), goodness(card, evidence.negative), evidence, known)
    least = _least(found)
    share = least / found.estimate if found.estimate > 0 else math.inf
    return _found(
        "detectable",
        share < MOST_DETECTABLE,
        share if math.isfinite(share) else None,
        f"a difference of {least:.3g} can be detected with {found.n} conditions; replicate and mean lie "
        f"{found.estimate:.3g} apart",
    )


def _headroom(card: Card, evidence: Evidence, known: Known) -> Condition:
    """Above the strongest baseline there must be more than what can be detected."""
    if evidence.strongest is None:
        return Condition("headroom", "not applicable", None, "asked of retrieval alone")
    perfect = np.full_like(evidence.strongest, evidence.perfect)
    found = _gap(goodness(card, perfect), goodness(card, evidence.strongest), evidence, known)
    if found.n < FEWEST:
        return Condition("headroom", "fail", None, "the strongest baseline has no value")
    least = _least(found)
    return _found(
        "headroom",
        found.estimate > max(least, ROUNDING),
        found.estimate,
        f"the strongest baseline leaves {found.estimate:.3f} to be gained, {least:.3f} can be detected",
    )


def _gap(ours: Floats, theirs: Floats, evidence: Evidence, known: Known) -> Interval:
    """The paired difference of two controls, for new perturbations in these contexts."""
    sides = (ours[known, None], theirs[known, None])
    contexts, perturbations = evidence.contexts[known], evidence.perturbations[known]
    return paired_intervals(*sides, contexts, perturbations, scope="these contexts", resamples=0)[0]


def _least(found: Interval) -> float:
    return minimum_detectable_difference(found.se, found.freedom, level=found.level)


def _value(card: Card, evidence: Evidence, side: str, known: Known) -> float:
    """The task's value of a control, more is better."""
    if side in evidence.overall:
        return one_goodness(card, evidence.overall[side])
    return level_mean(goodness(card, getattr(evidence, side))[known], evidence.contexts[known])


def _found(name: str, passed: bool | np.bool_, number: float | None, reason: str) -> Condition:
    return Condition(name, "pass" if passed else "fail", None if number is None else float(number), reason)
