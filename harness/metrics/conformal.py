"""Conformal intervals: what held-out perturbations prove about new ones, whatever the model.

The exchangeable unit is the perturbation, never a gene and never a cell. A perturbation measured in several contexts
counts once, its conditions sharing its weight (hierarchical conformal prediction, Lee, Barber & Willett 2023).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, Undefined, Value, metric
from harness.metrics.forecasts import Forecasts
from harness.metrics.scores import defined

Array = NDArray[np.float64]
Scale = Literal["none", "sd"]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("means", "variance")
ALPHA = 0.1
"""Share of genes that an interval may miss."""
BETA = 0.1
"""Share of new perturbations for which it may miss more."""
ROUNDING = 1e-9
VOVK = "Vovk, Gammerman & Shafer 2005"
LEE = "Lee, Barber & Willett 2023; Dunn, Wasserman & Ramdas 2023"
SHIFT = "the guarantee holds for perturbations exchangeable with the calibration ones, not across a shift of context"
INFINITE = "the interval is infinite: the calibration perturbations hold errors where the variance is 0"
NO_TEST = "no reported condition has a variance"


@dataclass(frozen=True)
class Threshold:
    """How far an interval reaches: `reach`, times the forecast's standard deviation where it is scaled."""

    reach: Array  # [genes] or [conditions, 1]
    scale: Scale


@dataclass(frozen=True)
class Held:
    """What intervals did on conditions: share of genes covered, and mean width."""

    coverage: Array  # [conditions]
    width: Array  # [conditions]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Conditions with at least 1 − α of their genes covered."""
        return np.asarray(self.coverage >= 1 - ALPHA - ROUNDING)


def conformal_quantile(
    scores: Array, perturbations: Sequence[str] | NDArray[np.int64], miss: float
) -> Array | Undefined:
    r"""The score that a new perturbation exceeds with probability at most `miss`. [] or [genes]

    Scores are [conditions] or [conditions, genes].

    With one condition each, the $\lceil(n+1)(1-\mathrm{miss})\rceil$-th smallest of n; refused for n < 1/miss − 1, where
    only an infinite interval would keep the promise.
    """
    _, owner, counts = np.unique(np.asarray(perturbations), return_inverse=True, return_counts=True)
    n = len(counts)
    if n < fewest(miss):
        return Undefined(
            f"{n} calibration perturbations are fewer than the {fewest(miss)} that {1 - miss:.0%} needs"
        )
    weight = 1 / ((n + 1) * counts[owner.ravel()])
    order = np.argsort(scores, axis=0, kind="stable")
    reached = np.cumsum(weight[order], axis=0) >= 1 - miss - ROUNDING
    place = np.argmax(reached, axis=0)[None]
    chosen = np.take_along_axis(order, place, axis=0)
    return np.asarray(np.take_along_axis(scores, chosen, axis=0)[0], np.float64)


def fewest(miss: float) -> int:
    """The fewest calibration perturbations for a finite interval: 1/miss − 1."""
    return math.ceil(1 / miss - 1 - ROUNDING)


def gene_scores(block: Forecasts, scale: Scale) -> Array:
    r"""Nonconformity of each gene: $|\delta-\mu|$, over $\hat\sigma$ where scaled. [conditions, genes]"""
    return np.abs(block.residual) if scale == "none" else np.abs(block.z)


def perturbation_scores(block: Forecasts, scale: Scale = "sd") -> Array:
    """The reach that covers 1 − α of a condition's genes: an order statistic of its gene scores. [conditions]"""
    scores = gene_scores(block, scale)
    place = math.ceil((1 - ALPHA) * scores.shape[1] - ROUNDING) - 1
    return np.asarray(np.partition(scores, place, axis=1)[:, place], np.float64)


def hold(forecasts: Forecasts, positions: NDArray[np.int64], threshold: Threshold) -> Held:
    """Apply intervals to conditions, a block at a time."""
    coverage, width = np.empty(len(positions)), np.empty(len(positions))
    done = 0
    for block in forecasts.blocks(positions):
        rows = slice(done, done + len(block))
        reach = threshold.reach if threshold.reach.ndim == 1 else threshold.reach[rows]
        scores = gene_scores(block, threshold.scale)
        coverage[rows] = (scores <= reach).mean(axis=1)
        spread = block.sd if threshold.scale == "sd" else np.ones_like(scores)
        with np.errstate(invalid="ignore"):
            width[rows] = (2 * reach * spread).mean(axis=1)
        done += len(block)
    return Held(coverage, width)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1 - BETA,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=LEE,
    unit="task",
    pathologies=SHIFT,
)
def conformal_coverage(held: Held | Undefined) -> Value:
    r"""Share of reported perturbations with at least 90 % of their genes inside $\mu\pm\hat q\,\sigma$, promised for 90 %:
    $\hat q$ the conformal quantile over calibration perturbations of their 90 % quantile of $|\delta_g-\mu_g|/\sigma_g$.
    """  # noqa: D205
    return _coverage(held, kept=True)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=LEE,
    unit="task",
    pathologies="of worth only where conformal_coverage holds",
)
def conformal_width(held: Held | Undefined) -> Value:
    r"""Mean width $2\hat q\,\sigma$ of the intervals of conformal_coverage."""
    return _width(held)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1 - ALPHA,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=VOVK,
    unit="task",
    pathologies="marginal: the strongest perturbations are covered far less, the weakest more; " + SHIFT,
)
def conformal_split_coverage(held: Held | Undefined) -> Value:
    r"""Share of genes of reported conditions inside split conformal intervals $\mu_g\pm\hat q_g$, $\hat q_g$ the conformal
    90 % quantile of $|\delta_g-\mu_g|$ over calibration perturbations.
    """  # noqa: D205
    return _coverage(held, kept=False)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=VOVK,
    unit="task",
    pathologies="of worth only where conformal_split_coverage holds",
)
def conformal_split_width(held: Held | Undefined) -> Value:
    r"""Mean width $2\hat q_g$ of the intervals of conformal_split_coverage."""
    return _width(held)


@metric(
    panel=PANEL,
    direction=Direction.TARGET,
    optimum=1 - ALPHA,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference="Lei et al. 2018",
    unit="task",
    pathologies="needs a variance that follows the errors; " + SHIFT,
)
def conformal_normalised_coverage(held: Held | Undefined) -> Value:
    r"""Share of genes of reported conditions inside $\mu_g\pm\hat q_g\sigma_g$, $\hat q_g$ the conformal 90 % quantile of
    $|\delta_g-\mu_g|/\sigma_g$ over calibration perturbations.
    """  # noqa: D205
    return _coverage(held, kept=False)


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference="Lei et al. 2018",
    unit="task",
    pathologies="of worth only where conformal_normalised_coverage holds",
)
def conformal_normalised_width(held: Held | Undefined) -> Value:
    r"""Mean width $2\hat q_g\sigma_g$ of the intervals of conformal_normalised_coverage."""
    return _width(held)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=LEE,
    unit="task",
    pathologies="expected to fall short where the reported conditions are out of distribution: it shows the shift",
)
def conformal_iid_coverage(held: Held | Undefined) -> Value:
    r"""conformal_coverage with $\hat q$ from in-distribution conditions: a guarantee that was earned elsewhere."""
    return _coverage(held, kept=True)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    needs=NEEDS,
    reference=LEE,
    unit="task",
    pathologies="of worth only where conformal_iid_coverage holds",
)
def conformal_iid_width(held: Held | Undefined) -> Value:
    r"""Mean width $2\hat q\,\sigma$ of the intervals of conformal_iid_coverage."""
    return _width(held)


def _coverage(held: Held | Undefined, *, kept: bool) -> Value:
    if isinstance(held, Undefined):
        return held
    values = held.kept if kept else held.coverage
    return defined(float(values.mean())) if len(values) else Undefined(NO_TEST)


def _width(held: Held | Undefined) -> Value:
    if isinstance(held, Undefined):
        return held
    if not len(held.width):
        return Undefined(NO_TEST)
    mean = float(held.width.mean())
    return mean if math.isfinite(mean) else Undefined(INFINITE)
