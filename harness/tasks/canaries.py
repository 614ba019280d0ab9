"""Canary conditions: asked for like any other, never measured, with a random truth that exists only in the sealed folder.

A submission that is better than chance on a canary has read sealed truth, so a canary must not be told from a real
question. Each takes a real reported or calib condition as its pattern and is alike in all that can be known of it:
whether its context, its perturbation, their pair and its covariates are seen in training, of how many parts it is, and
how many of those are seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Condition
from harness.digest import seed_from
from harness.tasks.asked import Asked
from harness.tasks.invented import Inventor
from harness.tasks.means import condition_effects

SHARE = 0.1
FEWEST = 5
SCALE_CONDITIONS = 200

Likeness = tuple[bool, bool, bool, bool, bool, int, int]


class Surroundings:
    """What can be known of a condition by who sees the task: what is seen in training, what is asked for."""

    def __init__(
        self, dataset: PerturbDataset, labelled: NDArray[np.int64], asked: Sequence[Asked], secret: int
    ) -> None:
        table = dataset.conditions.table
        self.measured = frozenset(table)
        self.seen = frozenset(table[i] for i in np.unique(dataset.conditions.of_row[labelled]))
        self.patterns = sorted(a.condition for a in asked if a.kind in ("reported", "calib"))
        self.n_reported = sum(a.kind == "reported" for a in asked)
        self.rng = np.random.default_rng(secret)

    @cached_property
    def perturbations(self) -> list[str]:
        """Every perturbation that is seen in training or asked for."""
        return sorted({c.pert for c in self.seen} | {c.pert for c in self.patterns})

    def likeness(self, condition: Condition) -> Likeness:
        """All that a rule could sort questions by."""
        context, pert, covariates = condition
        parts = pert.split("+")
        return (
            context in self._contexts,
            pert in self._perts,
            (context, pert) in self._pairs,
            (pert, covariates) in self._doses,
            covariates in self._covariates,
            len(parts),
            sum(part in self._parts for part in parts),
        )

    @cached_property
    def _contexts(self) -> frozenset[str]:
        return frozenset(c.context for c in self.seen)

    @cached_property
    def _perts(self) -> frozenset[str]:
        return frozenset(c.pert for c in self.seen)

    @cached_property
    def _parts(self) -> frozenset[str]:
        return frozenset(part for c in self.seen for part in c.pert.split("+"))

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset((c.context, c.pert) for c in self.seen)

    @cached_property
    def _doses(self) -> frozenset[tuple[str, tuple[str, ...]]]:
        return frozenset((c.pert, c.covariates) for c in self.seen)

    @cached_property
    def _covariates(self) -> frozenset[tuple[str, ...]]:
        return frozenset(c.covariates for c in self.seen)


def choose_canaries(around: Surroundings, inventor: Inventor) -> list[Condition]:
    """About a tenth as many canaries as reported conditions, as far as free ones exist.

    A pair of a known perturbation and a context where it was never measured comes first; where no such pair is like the
    pattern, and the pattern's perturbation is unseen in training anyway, a perturbation is invented.
    """
    wanted = max(FEWEST, math.ceil(SHARE * around.n_reported))
    chosen: dict[Condition, None] = {}
    free: dict[tuple[str, tuple[str, ...], Likeness], list[Condition]] = {}
    patterns = [around.patterns[i] for i in around.rng.permutation(len(around.patterns))]
    left = patterns
    while left and len(chosen) < wanted:
        still: list[Condition] = []
        for pattern in left:
            key = (pattern.context, pattern.covariates, around.likeness(pattern))
            if key not in free:
                free[key] = _free_like(pattern, around)
            if free[key] and len(chosen) < wanted:
                chosen[free[key].pop()] = None
                still.append(pattern)
        left = still
    for pattern in patterns:
        if len(chosen) < wanted and not around.likeness(pattern)[1]:
            chosen |= dict.fromkeys(_invented_like(pattern, around, inventor))
    return sorted(chosen)


def canary_truth(
    dataset: PerturbDataset, labelled: NDArray[np.int64], n: int, secret: int
) -> NDArray[np.float32]:
    """Random deltas, centred over genes, each gene as large as training effects are. [n, genes]"""
    rng = np.random.default_rng(seed_from("canary truth", secret))
    if not n:
        return np.zeros((0, dataset.meta.n_vars), np.float32)
    indices = np.unique(dataset.conditions.of_row[labelled])
    some = np.sort(rng.permutation(indices)[:SCALE_CONDITIONS])
    effects = condition_effects(dataset, labelled, some)
    scale = np.sqrt((effects**2).mean(axis=0))
    deltas = rng.standard_normal((n, dataset.meta.n_vars)) * scale
    return np.asarray(deltas - deltas.mean(axis=1, keepdims=True), np.float32)


def _free_like(pattern: Condition, around: Surroundings) -> list[Condition]:
    """Unmeasured conditions of the pattern's context and covariates that no rule tells from it, in random order."""
    like = around.likeness(pattern)
    candidates = [pattern._replace(pert=pert) for pert in around.perturbations]
    free = [c for c in candidates if c not in around.measured and around.likeness(c) == like]
    return [free[i] for i in around.rng.permutation(len(free))]


def _invented_like(pattern: Condition, around: Surroundings, inventor: Inventor) -> list[Condition]:
    """An invented perturbation, asked for in every context where the pattern's is: an answer as common as any."""
    name = inventor.invent(pattern.pert, around.rng)
    if name is None:
        return []
    return [c._replace(pert=name) for c in around.patterns if c.pert == pattern.pert]
