"""Detection of what lies outside of the training distribution, by uncertainty and by what competes with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Need, Undefined, Value, metric
from harness.metrics.ranks import mid_ranks
from harness.metrics.scores import defined

Array = NDArray[np.float64]
PANEL = "uncertainty"
NEEDS: tuple[Need, ...] = ("means", "variance")
HENDRYCKS = "Hendrycks & Gimpel 2017"
STRATA_PER_AXIS = 3
NEIGHBOURS = 5
NO_IID = "there are no in-distribution conditions to compare with"
NO_OOD = "there are no reported conditions"
NO_DISTANCE = "the distance to the training conditions is not known"
NO_MATCH = "no in-distribution condition resembles a reported one in effect size and cell count"


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=HENDRYCKS,
    unit="task",
    pathologies="confounded by effect size and cell count: see ood_auroc_matched; 0.5 is right where nothing is shifted",
)
def ood_auroc(inside: Array, outside: Array) -> Value:
    r"""Chance that a reported condition is less certain than one in distribution: $P(U_{ood}>U_{iid})+\frac12P(=)$."""
    if not len(inside):
        return Undefined(NO_IID)
    if not len(outside):
        return Undefined(NO_OOD)
    return defined(_wins(inside, outside) / (len(inside) * len(outside)))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    needs=NEEDS,
    reference=HENDRYCKS,
    unit="task",
    pathologies="three bins an axis leave some of the confounding; conditions without a counterpart do not count",
)
def ood_auroc_matched(inside: Array, outside: Array, confounders: Sequence[tuple[Array, Array]]) -> Value:
    r"""AUROC of pairs that are alike in effect size and cell count, by strata of terciles of both:
    $\sum_s\mathrm{wins}_s/\sum_s n_{iid,s}n_{ood,s}$.
    """  # noqa: D205
    if not len(inside):
        return Undefined(NO_IID)
    if not len(outside):
        return Undefined(NO_OOD)
    stratum = np.zeros(len(inside) + len(outside), np.int64)
    for near, far in confounders:
        stratum = stratum * STRATA_PER_AXIS + _tercile(np.concatenate([near, far]))
    bins = stratum[: len(inside)], stratum[len(inside) :]
    wins = pairs = 0.0
    for one in np.intersect1d(*bins).tolist():
        a, b = inside[bins[0] == one], outside[bins[1] == one]
        wins += _wins(a, b)
        pairs += len(a) * len(b)
    return defined(wins / pairs) if pairs else Undefined(NO_MATCH)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    reference="Sun et al. 2022",
    unit="task",
    pathologies="a competitor, not a score",
)
def ood_auroc_distance(inside: Array | None, outside: Array | None) -> Value:
    r"""The competitor that needs no model: AUROC of the distance $d$ to training, $P(d_{ood}>d_{iid})+\frac12P(=)$."""
    if inside is None or outside is None:
        return Undefined(NO_DISTANCE)
    return ood_auroc(inside, outside)


def nearest_distance(queries: Array, train: Array, k: int = NEIGHBOURS) -> Array:
    """Mean Euclidean distance of each query to its k nearest training conditions, in a compact representation. [queries]"""
    k = min(k, len(train))
    if k == 0:
        raise ValueError("there is nothing to be near to")
    return np.array(
        [np.sqrt(np.sort(np.square(train - query).sum(axis=1))[:k]).mean() for query in queries], np.float64
    )


def _wins(inside: Array, outside: Array) -> float:
    """Pairs in which the outside is larger, equal ones by half."""
    ranks = mid_ranks(np.concatenate([inside, outside]))[len(inside) :]
    return float(ranks.sum()) - len(outside) * (len(outside) + 1) / 2


def _tercile(values: Array) -> NDArray[np.int64]:
    edges = np.quantile(values, np.arange(1, STRATA_PER_AXIS) / STRATA_PER_AXIS, method="inverted_cdf")
    return np.searchsorted(edges, values, side="left").astype(np.int64)
