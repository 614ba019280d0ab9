"""Intervals cover the truth as often as they say, whatever scatters most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.statistics.intervals import PERCENTILE, STUDENT, paired_intervals

Floats = NDArray[np.float64]
TRUTH = 0.3
CONTEXTS = (3, 5, 10, 20, 50)
CONDITIONS = 10
"""Of each context."""


class Simulated(NamedTuple):
    differences: Floats
    """[conditions, seeds, datasets]"""
    contexts: NDArray[np.int64]
    perturbations: NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """How differences scatter, in standard deviations; that of single conditions is 1."""

    contexts: float = 0.3
    perturbations: float = 0.0
    """What a perturbation carries through all contexts; where it is 0, each context has its own perturbations."""
    seeds: float = 0.0
    n_seeds: int = 1
    skewed: bool = False
    unbalanced: bool = False

    def draw(self, n_contexts: int, datasets: int, seed: int) -> Simulated:
        rng = np.random.default_rng([seed, n_contexts])
        sizes = (
            rng.integers(3, 2 * CONDITIONS, n_contexts)
            if self.unbalanced
            else np.full(n_contexts, CONDITIONS)
        )
        contexts = np.repeat(np.arange(n_contexts), sizes)
        own = np.arange(len(contexts))
        crossed = self.perturbations > 0
        perturbations = np.concatenate([np.arange(size) for size in sizes]) if crossed else own
        single = (
            (rng.gamma(2.0, 1, (len(own), datasets)) - 2) / np.sqrt(2)
            if self.skewed
            else rng.standard_normal((len(own), datasets))
        )
        found = TRUTH + self.contexts * rng.standard_normal((n_contexts, datasets))[contexts] + single
        if crossed:
            drawn = rng.standard_normal((perturbations.max() + 1, datasets))
            found = found + self.perturbations * drawn[perturbations]
        found = found[:, None, :]
        if self.n_seeds > 1:
            found = found + self.seeds * rng.standard_normal((1, self.n_seeds, datasets))
            found = found + 0.5 * rng.standard_normal((len(own), self.n_seeds, datasets))
        return Simulated(found, contexts.astype(np.int64), perturbations.astype(np.int64))


WORLDS = {
    "contexts differ as much as conditions": World(contexts=1.0),
    "contexts differ much": World(contexts=3.0),
    "contexts differ little": World(contexts=0.1),
    "contexts are alike": World(contexts=0.0),
    "skewed conditions": World(skewed=True),
    "contexts of different sizes": World(unbalanced=True),
    "the same perturbations in all contexts": World(perturbations=0.5),
}
SEEDED = {
    "three seeds that differ little": World(n_seeds=3, seeds=0.05),
    "three seeds": World(n_seeds=3, seeds=0.3),
    "three seeds that differ more than contexts": World(n_seeds=3, seeds=1.0),
    "five seeds": World(n_seeds=5, seeds=0.3),
}
DATASETS = 1000


def coverage(world: World, n_contexts: int, seed: int = 2) -> float:
    """Share of simulated data sets whose interval holds the truth."""
    drawn = world.draw(n_contexts, DATASETS, seed)
    found = paired_intervals(drawn.differences, None, drawn.contexts, drawn.perturbations, resamples=1000)
    return float(np.mean([one.low <= TRUTH <= one.high for one in found]))


@pytest.mark.parametrize("n_contexts", CONTEXTS)
@pytest.mark.parametrize("world", WORLDS)
def test_the_interval_of_a_paired_difference_covers_93_to_97_percent(world: str, n_contexts: int) -> None:
    assert 0.93 <= coverage(WORLDS[world], n_contexts) <= 0.97


@pytest.mark.parametrize("n_contexts", CONTEXTS)
@pytest.mark.parametrize("world", SEEDED)
def test_with_training_seeds_it_covers_at_least_as_much(world: str, n_contexts: int) -> None:
    """Two freedoms of three seeds and two of three contexts add up to some caution, never to too little."""
    assert 0.93 <= coverage(SEEDED[world], n_contexts) <= 0.995


def test_without_its_seeds_an_interval_would_cover_too_little() -> None:
    """Seeds that differ more than contexts do are not noise of single conditions."""
    drawn = SEEDED["three seeds that differ more than contexts"].draw(20, DATASETS, 0)
    blind = drawn.differences.mean(axis=1)
    found = paired_intervals(blind, None, drawn.contexts, drawn.perturbations, resamples=500)
    assert np.mean([one.low <= TRUTH <= one.high for one in found]) < 0.5


def test_the_method_changes_with_the_number_of_contexts() -> None:
    said = {}
    for n_contexts in CONTEXTS:
        drawn = World().draw(n_contexts, 1, 0)
        (found,) = paired_intervals(drawn.differences, None, drawn.contexts, drawn.perturbations)
        said[n_contexts] = found.method
    assert said == {3: STUDENT, 5: STUDENT, 10: STUDENT, 20: PERCENTILE, 50: PERCENTILE}


def test_a_percentile_interval_would_cover_too_little_at_five_contexts() -> None:
    """The reason why few contexts get Student's t."""
    drawn = WORLDS["contexts differ much"].draw(5, DATASETS, 0)
    means = drawn.differences[:, 0].reshape(5, CONDITIONS, DATASETS).mean(axis=1)
    taken = np.random.default_rng(0).integers(5, size=(500, 5))
    low, high = np.quantile(means[taken].mean(axis=1), [0.025, 0.975], axis=0)
    assert np.mean((low <= TRUTH) & (high >= TRUTH)) < 0.9


@pytest.mark.parametrize("n_contexts", [1, 2, 3])
def test_an_interval_of_these_contexts_covers_their_own_mean(n_contexts: int) -> None:
    rng = np.random.default_rng(n_contexts)
    effects = rng.normal(size=n_contexts)
    contexts = np.repeat(np.arange(n_contexts), 20)
    drawn = effects[contexts][:, None] + rng.standard_normal((len(contexts), DATASETS))
    found = paired_intervals(
        drawn, None, contexts, np.arange(len(contexts)), scope="these contexts", resamples=1000
    )
    assert 0.93 <= np.mean([one.low <= effects.mean() <= one.high for one in found]) <= 0.97


def test_p_values_reject_as_often_as_their_level() -> None:
    drawn = World().draw(8, 2000, 5)
    found = paired_intervals(drawn.differences - TRUTH, None, drawn.contexts, drawn.perturbations)
    assert 0.035 <= np.mean([one.p < 0.05 for one in found]) <= 0.065
