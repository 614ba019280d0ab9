"""Canaries and planted markers: random numbers that only sealed truth holds; who agrees with them has read it.

Under the null a prediction is independent of the random truth, whose genes are symmetric about 0 and independent of each
other. Each product of a prediction with its truth may then change its sign, which gives the exact distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.controls.catalogue import CONTROLS
from harness.controls.control_set import ControlScore
from harness.digest import seed_from
from harness.scoring.engine import Engine

FLIPS = 9999
HELD_BELOW = 1e-3
"""A p below this holds a submission."""
BLOCK = 500
NO_CANARIES = "this task has no canaries"
NOT_ANSWERED = "the predictions answer no canary"
Effects = NDArray[np.float64]  # [conditions, genes]


@dataclass(frozen=True)
class Agreement:
    """How predictions agree with random numbers that they cannot know."""

    correlation: float
    """Mean cosine over conditions."""
    p: float
    """One-sided, by random signs of genes."""
    retrieval: float
    """Mean share of other conditions' numbers that agree less than a condition's own; NaN for one condition."""
    n: int

    @property
    def numbers(self) -> dict[str, float]:
        return {"correlation": self.correlation, "p": self.p, "retrieval": self.retrieval, "n": self.n}


def agreement(predicted: Effects, secret: Effects, seed: int = 0) -> Agreement:
    """Score predictions against secret random numbers of the same shape."""
    told, drawn = _unit(predicted), _unit(secret)
    products = told * drawn
    found = float(products.sum() / len(products))
    rng = np.random.default_rng(seed_from("sign flips", seed))
    terms = products.ravel()
    terms = terms[terms != 0]
    least = found * (1 - 1e-12) * len(products)
    as_large = 0
    for start in range(0, FLIPS, BLOCK):
        n = min(BLOCK, FLIPS - start)
        signs = 1.0 - 2.0 * rng.integers(0, 2, (n, len(terms)), np.int8)
        as_large += int((signs @ terms >= least).sum())
    return Agreement(found, (1 + as_large) / (FLIPS + 1), _retrieval(told @ drawn.T), len(products))


def canary_score(engine: Engine) -> ControlScore:
    """How the predictions of an engine agree with the invented truth of canaries; 0 and 0.5 where nothing was read."""
    truth, answers = engine.truth, engine.answers
    canaries = truth.of_kind("canary").tolist()
    if not canaries:
        return ControlScore(CONTROLS["canary"], reason=NO_CANARIES)
    if not all(len(answers.rows[i]) for i in canaries):
        return ControlScore(CONTROLS["canary"], reason=NOT_ANSWERED)
    secret = np.asarray(truth.canary, np.float64)
    found = agreement(answers.mean(canaries), secret, seed_from("canary", truth.split.hash))
    return ControlScore(CONTROLS["canary"], numbers=found.numbers)


@dataclass(frozen=True)
class Plant:
    """±a on a few reserved genes, by condition; 0 elsewhere."""

    genes: NDArray[np.int64]
    signs: NDArray[np.float64]  # [conditions, genes planted]

    def added(self, n_genes: int, size: float) -> Effects:
        """What is added to the effect of each condition of a private copy. [conditions, genes]"""
        found = np.zeros((len(self.signs), n_genes))
        found[:, self.genes] = size * self.signs
        return found


def make_plant(n_conditions: int, n_genes: int, seed: int, n_planted: int = 64) -> Plant:
    """A random plant: reserved genes, and fair signs of each condition."""
    rng = np.random.default_rng(seed_from("planted marker", seed))
    genes = np.sort(rng.permutation(n_genes)[: min(n_planted, n_genes)])
    return Plant(genes, rng.choice([-1.0, 1.0], (n_conditions, len(genes))))


def marker_score(predicted: Effects, plant: Plant, seed: int = 0) -> ControlScore:
    """How predictions agree with a plant, on its genes, each gene's mean over conditions taken off.

    A gene that responds to everything agrees with no plant, whose signs are fair in every gene.
    """
    told = predicted[:, plant.genes]
    found = agreement(told - told.mean(axis=0), plant.signs, seed)
    return ControlScore(CONTROLS["planted_marker"], numbers=found.numbers)


def _unit(effects: Effects) -> Effects:
    norm = np.linalg.norm(effects, axis=1, keepdims=True)
    return np.asarray(np.divide(effects, norm, out=np.zeros_like(effects), where=norm > 0))


def _retrieval(scores: NDArray[np.float64]) -> float:
    """Mid-rank of the own numbers among all. [predicted, secret]"""
    n = len(scores)
    if n < 2:
        return float("nan")
    own = np.diag(scores)[:, None]
    less = (scores < own).sum(axis=1) + 0.5 * ((scores == own).sum(axis=1) - 1)
    return float((less / (n - 1)).mean())
