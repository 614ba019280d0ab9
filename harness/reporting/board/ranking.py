"""Who stands before whom on one task: rank groups by every pair of submissions, in one family of tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.card import cards
from harness.scoring.score_table import Floats
from harness.statistics.families import benjamini_hochberg
from harness.statistics.ranks import Place, places
from harness.statistics.round_robin import round_robin
from harness.verdicts.compare import ALPHA
from harness.verdicts.intervals import Side, match

WHOLE_TASK = "it is one number for the whole task"
NO_VOTE = "a metric as published, or a diagnosis: it may be looked at, it ranks nobody"


@dataclass(frozen=True)
class Ranking:
    """Places on one metric."""

    metric: str
    places: Mapping[str, Place]
    """By name of the side."""
    left_out: Mapping[str, int]
    """Sides without a place: conditions in which others have a value and they have none."""
    why_not: str | None
    """Why the metric ranks nobody here."""
    n: int
    """Conditions that everybody with a place defines."""


def rank(
    sides: Sequence[Side], metrics: Sequence[str], uninformative: Mapping[str, str]
) -> tuple[tuple[Ranking, ...], int]:
    """Places on each metric, and how many tests were adjusted together: all pairs on all metrics that rank."""
    if not sides:
        return tuple(_nobody(metric, "there is nobody to rank") for metric in metrics), 0
    conditions = match(sides)
    contexts = [one.context for one in conditions]
    perturbations = [one.perturbation for one in conditions]
    drafts = [
        _Draft.of(sides, metric, uninformative.get(metric), contexts, perturbations) for metric in metrics
    ]
    p = np.concatenate([draft.pairs for draft in drafts])
    q = np.asarray(benjamini_hochberg(p).q) if len(p) else p
    found, start = [], 0
    for draft in drafts:
        stop = start + len(draft.pairs)
        found.append(draft.ranking(q[start:stop]))
        start = stop
    return tuple(found), len(p)


@dataclass(frozen=True)
class _Draft:
    """One metric before its p-values are adjusted."""

    metric: str
    names: tuple[str, ...]
    """Of those that define every condition that anybody defines."""
    left_out: Mapping[str, int]
    why_not: str | None
    n: int
    means: Floats
    estimate: Floats
    p: Floats

    @classmethod
    def of(
        cls,
        sides: Sequence[Side],
        metric: str,
        uninformative: str | None,
        contexts: Sequence[str],
        perturbations: Sequence[str],
    ) -> _Draft:
        nothing = np.zeros((0, 0))
        values = [side.values([metric])[:, :, 0] for side in sides]
        known = np.stack([np.isfinite(one).all(axis=1) for one in values])  # [sides, conditions]
        anybody = known.any(axis=0)
        why_not = _why_not(metric, uninformative, bool(anybody.any()))
        if why_not:
            return cls(metric, (), {}, why_not, 0, np.zeros(0), nothing, nothing)
        lost = (anybody & ~known).sum(axis=1)
        whole = np.flatnonzero(lost == 0).tolist()
        left_out = {side.name: int(count) for side, count in zip(sides, lost, strict=True) if count}
        kept = np.flatnonzero(anybody).tolist()
        told = [values[i][kept] for i in whole]
        where = [contexts[i] for i in kept], [perturbations[i] for i in kept]
        estimate, p = round_robin(told, *where) if told else (nothing, nothing)
        # against the first, so that the order of means is that of the estimates, contexts counting equally
        means = -estimate[0] if told else np.zeros(0)
        return cls(metric, tuple(sides[i].name for i in whole), left_out, None, len(kept), means, estimate, p)

    @property
    def pairs(self) -> Floats:
        """The p of every pair that was tested, once."""
        p = self.p[np.triu_indices(len(self.names), 1)]
        return np.asarray(p[np.isfinite(p)])

    def ranking(self, q: Floats) -> Ranking:
        """The places, from the adjusted p of `pairs`."""
        upper = np.triu_indices(len(self.names), 1)
        adjusted = np.full(len(upper[0]), math.nan)
        adjusted[np.isfinite(self.p[upper])] = q
        shown = np.zeros(self.p.shape, np.bool_)
        shown[upper] = adjusted < ALPHA
        better = (shown | shown.T) & (self.estimate > 0)
        found = dict(zip(self.names, places(self.means, better), strict=True)) if self.names else {}
        return Ranking(self.metric, found, self.left_out, self.why_not, self.n)


def _why_not(metric: str, uninformative: str | None, defined: bool) -> str | None:
    card = cards()[metric]
    if card.unit == "task":
        return WHOLE_TASK
    if uninformative is not None:
        return f"uninformative here: {uninformative}"
    if not card.may_rank:
        return NO_VOTE
    return None if defined else "no condition has a value"


def _nobody(metric: str, reason: str) -> Ranking:
    return Ranking(metric, {}, {}, reason, 0)
