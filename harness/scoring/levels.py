"""From conditions to levels; undefined values are counted, never filled.

As published, every condition counts by its test cells. Calibrated, conditions count equally, and so do contexts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.metrics import collapse
from harness.metrics.card import Undefined, Value
from harness.metrics.registry import Panel
from harness.scoring.context_stage import ScoredCondition, ScoredContext
from harness.tasks.truth import Truth

Summary = dict[str, Any]
"""`value`, `n`; where values are undefined also `undefined` (how many) and `reason`."""
NO_CONDITIONS = "there are no such conditions"
OF_A_CONTEXT = "it is one number for a whole context"
NOT_LARGER = "the observed effects are not larger than their noise"
ABSENT = Undefined("")
"""A value that was never computed: without a reason, which makes the whole result incomplete."""
POOLED = ("error_ratio", "energy_skill", "sinkhorn_skill")
"""Ratios that levels form of sums, so that a condition with next to no effect cannot decide them."""


@dataclass(frozen=True)
class PanelLevels:
    """Brings the conditions of one kind together for one panel."""

    panel: Panel
    truth: Truth
    scored: Sequence[ScoredCondition]
    numbers: Mapping[str, Mapping[str, Value]]
    """By context: metrics that are one number for all its conditions."""
    overall: Mapping[str, Value]
    """What such metrics are over all contexts, where that is no mean."""

    @classmethod
    def of(
        cls,
        panel: Panel,
        truth: Truth,
        contexts: Sequence[ScoredContext],
        keep: Callable[[int], bool] = lambda _: True,
    ) -> PanelLevels:
        """The conditions that are kept, in order."""
        scored = [one for context in contexts for one in context.conditions if keep(one.index)]
        scored.sort(key=lambda one: one.index)
        if panel.name != collapse.PANEL:
            return cls(panel, truth, scored, {}, {})
        numbers = {one.context: one.numbers for one in contexts}
        return cls(panel, truth, scored, numbers, collapse.global_values(one.spread for one in contexts))

    def levels(self) -> dict[str, Any]:
        """Global, per context, per perturbation, and per stratum where the split has strata."""
        asked = self.truth.conditions
        by_context = self._by_context()
        levels: dict[str, Any] = {
            "global": self.whole(),
            "per_context": {
                name: {metric: self._of_context(metric, name, group) for metric in self.panel.metrics}
                for name, group in by_context.items()
            },
            "per_perturbation": self._each(lambda one: asked[one.index].condition.pert),
        }
        if any(asked[one.index].stratum is not None for one in self.scored):
            levels["per_stratum"] = self._each(lambda one: asked[one.index].stratum or "none")
        return levels

    def whole(self) -> dict[str, Summary]:
        """The level of the whole task alone."""
        by_context = self._by_context()
        return {metric: self._global(metric, by_context) for metric in self.panel.metrics}

    def _by_context(self) -> dict[str, list[ScoredCondition]]:
        return self._grouped(lambda one: self.truth.conditions[one.index].condition.context)

    def _each(self, key: Callable[[ScoredCondition], str]) -> dict[str, dict[str, Summary]]:
        groups = self._grouped(key)
        return {
            name: {metric: self._summary(metric, group) for metric in self.panel.metrics}
            for name, group in groups.items()
        }

    def _global(self, metric: str, by_context: Mapping[str, list[ScoredCondition]]) -> Summary:
        """Contexts count equally where conditions do; as published, cells do and contexts have no say."""
        if self._is_number(metric):
            found = [numbers[metric] for _, numbers in sorted(self.numbers.items())]
            summary = _plain_mean([self.overall[metric]] if metric in self.overall else found)
            return summary | {"n": len(self.scored), "contexts": len(found)}
        whole = self._summary(metric, self.scored)
        if self.panel.weight == "test cells":
            return whole
        means = [self._summary(metric, group)["value"] for group in by_context.values()]
        known = [mean for mean in means if mean is not None]
        found_mean = math.fsum(known) / len(known) if known else None
        values = sorted(v for one in self.scored if not isinstance(v := self._value(one, metric), Undefined))
        summary = whole | {"value": found_mean, "median": _median(values)}
        return summary if known or "reason" in summary else summary | {"reason": NOT_LARGER}

    def _of_context(self, metric: str, context: str, group: Sequence[ScoredCondition]) -> Summary:
        if self._is_number(metric):
            return _plain_mean([self.numbers[context][metric]]) | {"n": len(group)}
        return self._summary(metric, group)

    def _summary(self, metric: str, group: Sequence[ScoredCondition]) -> Summary:
        if self._is_number(metric):
            return {"value": None, "n": 0, "reason": OF_A_CONTEXT}
        values = [(one, self._value(one, metric)) for one in group]
        if self.panel.name == "calibrated" and metric in POOLED:
            return self._pooled(metric, group, [value for _, value in values])
        weights = [1.0 if self.panel.weight == "conditions" else self._cells(one) for one, _ in values]
        return _weighted_mean([value for _, value in values], weights)

    def _pooled(self, metric: str, group: Sequence[ScoredCondition], values: Sequence[Value]) -> Summary:
        """A ratio of sums over the conditions whose two parts are known."""
        if ABSENT in values:
            return {"value": None, "n": 0, "undefined": values.count(ABSENT), "reason": ABSENT.reason}
        parts = [part for one in group if (part := one.fractions.get(metric)) is not None]
        below = math.fsum(part[1] for part in parts)
        summary: Summary = {"value": None, "n": len(parts)}
        if below > 0:
            summary["value"] = math.fsum(part[0] for part in parts) / below
        if len(parts) < len(values):
            summary["undefined"] = len(values) - len(parts)
        reasons = [value.reason for value in values if isinstance(value, Undefined)]
        if summary["value"] is None or len(parts) < len(values):
            summary["reason"] = min(reasons) if reasons else NOT_LARGER if values else NO_CONDITIONS
        return summary

    def _value(self, one: ScoredCondition, metric: str) -> Value:
        return one.values[self.panel.name].get(metric, ABSENT)

    def _is_number(self, metric: str) -> bool:
        return metric in self._one_for_all

    @cached_property
    def _one_for_all(self) -> frozenset[str]:
        return frozenset(self.panel.metrics if self.panel.name == collapse.PANEL else ())

    def _cells(self, one: ScoredCondition) -> float:
        return float(len(self.truth.conditions[one.index].rows))

    def _grouped(self, key: Callable[[ScoredCondition], str]) -> dict[str, list[ScoredCondition]]:
        groups: dict[str, list[ScoredCondition]] = {}
        for one in self.scored:
            groups.setdefault(key(one), []).append(one)
        return {name: groups[name] for name in sorted(groups)}


def _plain_mean(values: Sequence[Value]) -> Summary:
    return _weighted_mean(values, [1.0] * len(values))


def _weighted_mean(values: Sequence[Value], weights: Sequence[float]) -> Summary:
    """Correctly rounded sums, so that the order of conditions cannot matter to the last bit."""
    known = [(v, w) for v, w in zip(values, weights, strict=True) if not isinstance(v, Undefined)]
    total = math.fsum(w for _, w in known)
    summary: Summary = {
        "value": math.fsum(v * w for v, w in known) / total if known else None,
        "n": len(known),
    }
    reasons = [value.reason for value in values if isinstance(value, Undefined)]
    if reasons:
        summary |= {"undefined": len(reasons), "reason": min(reasons)}
    elif not values:
        summary["reason"] = NO_CONDITIONS
    return summary


def _median(ordered: Sequence[float]) -> float | None:
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
