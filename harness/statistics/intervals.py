"""Intervals of paired differences: what a repetition of the comparison could have found instead.

The width comes from the clustered variance (`variance.py`), the form from Student's t where few units stand behind it and
from the hierarchical bootstrap where many do. A bootstrap of two levels counts the lower one twice, and few contexts too
little; so its draws are scaled about the estimate to the clustered variance, and widened by Student's over the normal
quantile (Hesterberg 2015), before their percentiles are taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from harness.errors import HarnessError
from harness.statistics.design import Design, Floats, Ints
from harness.statistics.resampling import bootstrap_means
from harness.statistics.variance import Clustered, Scope, clustered

LEVEL = 0.95
RESAMPLES = 10_000
LEAST_CONTEXTS = 3
"""From so many contexts on an interval speaks of new contexts; below it speaks of these alone, and says so."""
ENOUGH_FREEDOM = 18.0
"""From so many degrees of freedom on (19 or 20 contexts) percentiles of the bootstrap are as honest as Student's t."""
STUDENT, PERCENTILE, NONE = "Student's t", "bootstrap percentile", "none"
ONE_UNIT = "one condition alone has no scatter to tell an interval from"
NO_CONDITIONS = "it is defined on both sides for no condition"


@dataclass(frozen=True)
class Interval:
    """One estimate with what is known of its uncertainty, and how that was found."""

    estimate: float
    """Mean over conditions within their context, then over contexts; NaN where no condition is defined."""
    low: float
    high: float
    p: float
    """Two-sided, of no difference, from Student's t; NaN where there is no interval."""
    se: float
    freedom: float
    share_better: float
    """Share of conditions with a difference above 0; those at 0 count half."""
    median: float
    """Over conditions."""
    method: str
    """`Student's t`, `bootstrap percentile`, `none`."""
    scope: str
    """`new contexts` or `these contexts`."""
    n: int
    """Conditions."""
    undefined: int
    """Conditions that were left out because a value is undefined on one side."""
    n_contexts: int
    n_perturbations: int
    n_seeds: int
    """Training seeds of the side that has fewer of those that have several; 1 where neither has."""
    level: float
    resamples: int
    """0 where nothing was drawn."""
    seed: int
    reason: str = ""
    """Why there is no interval."""

    @property
    def above(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0

    def turned(self) -> Interval:
        """The interval of the opposite difference."""
        return replace(
            self,
            estimate=-self.estimate,
            low=-self.high,
            high=-self.low,
            median=-self.median,
            share_better=1 - self.share_better,
        )

    def document(self) -> dict[str, Any]:
        """The interval as a JSON object; what does not exist is null."""
        facts = asdict(self)
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in facts.items()
        }


def paired_intervals(
    ours: Floats,
    theirs: Floats | None,
    contexts: Sequence[object] | Ints,
    perturbations: Sequence[object] | Ints,
    *,
    scope: Scope | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of the paired difference `ours − theirs`, one per metric; without `theirs`, of the mean of one side.

    Sides are [conditions, metrics] or [conditions, seeds, metrics]; each may have its own number of training seeds, and a
    baseline that has none has one. NaN is undefined: such a condition is left out of that metric on both sides and counted.
    Higher is better: turn values round first where lower is. Contexts count equally, and conditions equally within theirs.

    `scope` is by default `new contexts` from 3 contexts on (the interval holds for a context drawn like these), below that
    `these contexts` (it holds for new perturbations in these contexts alone). The same seed gives the same bits.
    """
    design = Design.of(contexts, perturbations)
    a, b = _with_seeds(ours, design), None if theirs is None else _with_seeds(theirs, design)
    if b is not None and a.shape[2] != b.shape[2]:
        raise HarnessError("the two sides have different metrics", got=f"{a.shape[2]} and {b.shape[2]}")
    defined = np.isfinite(a).all(axis=1) & (True if b is None else np.isfinite(b).all(axis=1))
    found: list[Interval | None] = [None] * a.shape[2]
    patterns, of_metric = np.unique(defined, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        columns = np.flatnonzero(of_metric.reshape(-1) == number)
        keep = patterns[:, number]
        sides = tuple(None if side is None else side[keep][:, :, columns] for side in (a, b))
        told = _Told(scope, level, resamples, seed, int((~keep).sum()), _n_seeds(a, b))
        for column, interval in zip(
            columns.tolist(), _same_conditions(sides, design, keep, told), strict=True
        ):
            found[column] = interval
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class _Told:
    """What the caller asked for, and what was left out."""

    scope: Scope | None
    level: float
    resamples: int
    seed: int
    undefined: int
    n_seeds: int


def _same_conditions(
    sides: tuple[Floats | None, ...], whole: Design, keep: NDArray[np.bool_], told: _Told
) -> list[Interval]:
    """Intervals of metrics that are defined for the same conditions."""
    ours, theirs = sides
    assert ours is not None
    if not keep.any():
        return [_nothing(told)] * ours.shape[2]
    design = whole.kept(keep)
    scope: Scope = told.scope or ("new contexts" if design.n_contexts >= LEAST_CONTEXTS else "these contexts")
    found = clustered(ours, theirs, design, scope)
    mean = ours.mean(axis=1) if theirs is None else ours.mean(axis=1) - theirs.mean(axis=1)
    se = np.sqrt(found.variance)
    margin = stdtrit(found.freedom, (1 + told.level) / 2) * se
    low, high = found.estimate - margin, found.estimate + margin
    by_draws = (found.freedom >= ENOUGH_FREEDOM) & (se > 0)
    if by_draws.any() and told.resamples:
        limits = _percentiles(mean[:, by_draws], design, found, by_draws, scope, told)
        low[by_draws], high[by_draws] = limits
    p = p_values(found, se, design)
    share = ((mean > 0) + 0.5 * (mean == 0)).mean(axis=0)
    median = np.median(mean, axis=0)
    intervals = []
    for i in range(mean.shape[1]):
        drawn = bool(by_draws[i]) and told.resamples > 0
        known = bool(np.isfinite(se[i]))
        intervals.append(
            Interval(
                float(found.estimate[i]), float(low[i]), float(high[i]), float(p[i]), float(se[i]),
                float(found.freedom[i]), float(share[i]), float(median[i]),
                PERCENTILE if drawn else STUDENT if known else NONE, scope, design.n, told.undefined,
                design.n_contexts, design.n_perturbations, told.n_seeds, told.level,
                told.resamples if drawn else 0, told.seed, "" if known else ONE_UNIT,
            )
        )  # fmt: skip
    return intervals


def _percentiles(
    mean: Floats, design: Design, found: Clustered, chosen: NDArray[np.bool_], scope: Scope, told: _Told
) -> tuple[Floats, Floats]:
    draws = bootstrap_means(mean, design, resamples=told.resamples, seed=told.seed, scope=scope)
    estimate = found.estimate[chosen]
    spread = draws.std(axis=0)
    wider = stdtrit(found.freedom[chosen], (1 + told.level) / 2) / ndtri((1 + told.level) / 2)
    scale = wider * np.sqrt(found.variance[chosen]) / np.where(spread > 0, spread, 1.0)
    tails = np.array([(1 - told.level) / 2, (1 + told.level) / 2])
    limits = np.quantile(draws, tails, axis=0)
    return estimate + (limits[0] - estimate) * scale, estimate + (limits[1] - estimate) * scale


def p_values(found: Clustered, se: Floats, design: Design) -> Floats:
    """Two-sided; where all units say exactly the same, no less than signs alone could say."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(found.freedom, -np.abs(found.estimate) / se)
    flat = se == 0
    p[flat] = np.where(found.estimate[flat] == 0, 1.0, 2.0 ** (1 - design.n))
    return np.asarray(p, np.float64)


def _with_seeds(values: Floats, design: Design) -> Floats:
    found = np.asarray(values, np.float64)
    if found.ndim == 2:
        found = found[:, None, :]
    if found.ndim != 3 or len(found) != design.n or not found.shape[1]:
        raise HarnessError(
            "values do not fit the conditions",
            got=f"shape {np.shape(values)}",
            expected=f"[{design.n}, metrics] or [{design.n}, seeds, metrics]",
        )
    return found


def _n_seeds(a: Floats, b: Floats | None) -> int:
    several = [side.shape[1] for side in (a, b) if side is not None and side.shape[1] > 1]
    return min(several, default=1)


def _nothing(told: _Told) -> Interval:
    gap = math.nan
    return Interval(
        gap, gap, gap, gap, gap, gap, gap, gap, NONE, told.scope or "these contexts", 0, told.undefined, 0, 0,
        told.n_seeds, told.level, 0, told.seed, NO_CONDITIONS,
    )  # fmt: skip
