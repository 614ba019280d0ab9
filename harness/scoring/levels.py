"""From conditions to levels: condition → context with equal weight → dataset; undefined values are counted, never filled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.scoring.score import ScoredCondition
from harness.tasks.truth import Truth

Summary = dict[str, Any]
"""`value`, `n`; where values are undefined also `undefined` (how many) and `reason`."""


def panel_levels(scored: Sequence[ScoredCondition], truth: Truth, metrics: Sequence[str]) -> dict[str, Any]:
    """A panel's values: global, per context, per perturbation, and per stratum where the split has strata."""
    asked = truth.conditions
    levels: dict[str, Any] = {
        "global": {
            metric: _global(scored, metric, lambda one: asked[one.index].condition.context)
            for metric in metrics
        },
        "per_context": _grouped(scored, metrics, lambda one: asked[one.index].condition.context),
        "per_perturbation": _grouped(scored, metrics, lambda one: asked[one.index].condition.pert),
    }
    if any(asked[one.index].stratum is not None for one in scored):
        levels["per_stratum"] = _grouped(scored, metrics, lambda one: asked[one.index].stratum or "none")
    return levels


def _grouped(
    scored: Sequence[ScoredCondition], metrics: Sequence[str], key: Callable[[ScoredCondition], str]
) -> dict[str, dict[str, Summary]]:
    groups = _groups(scored, key)
    return {name: {metric: _summary(groups[name], metric) for metric in metrics} for name in sorted(groups)}


def _global(scored: Sequence[ScoredCondition], metric: str, key: Callable[[ScoredCondition], str]) -> Summary:
    contexts = _groups(scored, key)
    means = [_mean(_defined(contexts[name], metric)) for name in sorted(contexts)]
    whole = _summary(scored, metric)
    return whole | {"value": _mean([mean for mean in means if mean is not None])}


def _summary(scored: Sequence[ScoredCondition], metric: str) -> Summary:
    values = _defined(scored, metric)
    summary: Summary = {"value": _mean(values), "n": len(values)}
    reasons = [one.reasons[metric] for one in scored if metric in one.reasons]
    if reasons:
        summary |= {"undefined": len(reasons), "reason": min(reasons)}
    elif not scored:
        summary["reason"] = "there are no such conditions"
    return summary


def _defined(scored: Iterable[ScoredCondition], metric: str) -> list[float]:
    return [value for one in scored if (value := one.values[metric]) is not None]


def _mean(values: Sequence[float]) -> float | None:
    """Correctly rounded sum, so that the order of conditions cannot matter to the last bit."""
    return math.fsum(values) / len(values) if values else None


def _groups(
    scored: Sequence[ScoredCondition], key: Callable[[ScoredCondition], str]
) -> Mapping[str, list[ScoredCondition]]:
    groups: dict[str, list[ScoredCondition]] = {}
    for one in scored:
        groups.setdefault(key(one), []).append(one)
    return groups
