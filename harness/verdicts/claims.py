"""Claims that compile: a sentence is printed only where everything that it needs was shown, else the reason why not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.statistics.intervals import Interval
from harness.statistics.power import minimum_detectable_difference, non_inferior, underpowered

MOST_P = 0.01
MOST_Q = 0.05
LEAST_SEEDS = 3
Kind = Literal["beats", "is as good as"]


@dataclass(frozen=True)
class Support:
    """Everything that stands behind a sentence. What was not determined is None, and then nothing is claimed."""

    model: str
    baseline: str
    metric: str
    regime: str
    """Task and evaluation split in words."""
    interval: Interval
    """Paired difference to the baseline, above 0 where the model is better."""
    permutation_p: float | None
    """Of the label-permutation test of specificity."""
    q: float | None
    """p of the difference, adjusted within its declared family."""
    family: int
    """Tests of that family."""
    passport: bool | None
    passport_reason: str
    failed_gates: tuple[str, ...] | None
    """Names of gates that were not passed."""
    seeds: int
    span: float | None = None
    """From baseline to replicate, more is better."""
    left_out: int = 0
    """Conditions in which the baseline has a value and the model has none."""
    other_runs: int = 0
    """Runs of the same configuration that were not brought forward: other seeds, or other results of these."""


@dataclass(frozen=True)
class Claim:
    """A sentence, or why it cannot be said."""

    kind: Kind
    model: str
    baseline: str
    metric: str
    shown: bool
    text: str
    """The sentence with its numbers where it is shown; else `not shown: …`."""
    reasons: tuple[str, ...]
    """What is missing; empty where the claim is shown."""

    def document(self) -> dict[str, Any]:
        """The claim as a JSON object."""
        return {
            "kind": self.kind,
            "model": self.model,
            "baseline": self.baseline,
            "metric": self.metric,
            "shown": self.shown,
            "text": self.text,
            "reasons": list(self.reasons),
        }


def beats(support: Support) -> Claim:
    """`MODEL beats BASELINE on METRIC in REGIME`.

    Needs the metric's passport, the interval above 0, permutation p < 0.01, adjusted q < 0.05, clean gates, 3 seeds.
    """
    missing = [*_standing(support), *_difference(support), *_specificity(support)]
    return _claim("beats", support, missing)


def as_good_as(support: Support) -> Claim:
    """`MODEL is as good as BASELINE on METRIC in REGIME`: a loss of a twentieth of the span to a replicate is excluded.

    Needs the metric's passport, clean gates, 3 seeds, and a known span.
    """
    missing = _standing(support)
    if support.span is None:
        missing.append("the span from baseline to replicate is not known")
    elif not non_inferior(support.interval, support.span):
        missing.append(
            f"the interval {_limits(support.interval)} reaches below −5 % of the span {support.span:.3g}"
        )
    return _claim("is as good as", support, missing)


def _standing(support: Support) -> list[str]:
    """What any claim needs."""
    missing = []
    if support.passport is None:
        missing.append(f"the passport of {support.metric} was not determined")
    elif not support.passport:
        missing.append(f"{support.metric} is uninformative here: {support.passport_reason}")
    if support.failed_gates is None:
        missing.append("the gates were not run")
    elif support.failed_gates:
        missing.append(f"gates not passed: {', '.join(support.failed_gates)}")
    if support.left_out:
        missing.append(
            f"{support.model} has no value in {support.left_out} conditions in which {support.baseline} has one"
        )
    if support.other_runs:
        missing.append(f"{support.other_runs} other runs of the same configuration were left out")
    if support.seeds < LEAST_SEEDS:
        missing.append(f"{support.seeds} training seed{'s' * (support.seeds != 1)}, {LEAST_SEEDS} are needed")
    return missing


def _difference(support: Support) -> list[str]:
    interval, missing = support.interval, []
    if not math.isfinite(interval.low):
        return [f"there is no interval: {interval.reason}"]
    if not interval.above:
        said = f"the interval {_limits(interval)} is not above 0"
        if support.span is not None and underpowered(interval, support.span) and not interval.below:
            least = minimum_detectable_difference(interval.se, interval.freedom, level=interval.level)
            said += f"; underpowered: {least:.3g} could have been detected, the span is {support.span:.3g}"
        missing.append(said)
    if support.q is None:
        missing.append("p was not adjusted within a family")
    elif not support.q < MOST_Q:
        missing.append(f"adjusted q = {support.q:.3g} of {support.family} tests, below {MOST_Q} is needed")
    return missing


def _specificity(support: Support) -> list[str]:
    if support.permutation_p is None:
        return ["the permutation test of specificity was not done"]
    if not support.permutation_p < MOST_P:
        return [f"permutation p = {support.permutation_p:.3g}, below {MOST_P} is needed"]
    return []


def _claim(kind: Kind, support: Support, missing: Sequence[str]) -> Claim:
    sentence = _sentence(kind, support) if not missing else f"not shown: {'; '.join(missing)}"
    return Claim(kind, support.model, support.baseline, support.metric, not missing, sentence, tuple(missing))


def _sentence(kind: Kind, support: Support) -> str:
    interval = support.interval
    tests = [f"{interval.level:.0%} interval, {interval.method}, {interval.scope}"]
    if kind == "beats":
        tests += [
            f"permutation p = {support.permutation_p:.2g}",
            f"q = {support.q:.2g} of {support.family} tests",
        ]
    tests += [f"{interval.n} conditions in {interval.n_contexts} contexts", f"{support.seeds} seeds"]
    return (
        f"{support.model} {kind} {support.baseline} on {support.metric} in {support.regime}: "
        f"{interval.estimate:+.3g} {_limits(interval)} ({'; '.join(tests)})"
    )


def _limits(interval: Interval) -> str:
    return f"[{interval.low:.3g}, {interval.high:.3g}]"
