"""Starts that speak of fold changes, and what a graph says of perturbations that training never showed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from perturbfm.conditions import Training
from perturbfm.folds import fold_mean, graphs_read, near_fold_mean, sensitivity
from perturbfm.reach import Reached, read_out
from perturbfm.starts import perturbation_mean, train_mean

from harness.sdk import Condition

GENES = [f"G{i}" for i in range(60)]
CONTEXTS = ("a", "b", "c", "new")
PERTURBED = GENES[:24]


class Screen:
    """Fold changes that are −1 for the perturbed gene and a factor of each gene's own for what a graph carries there."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.states = {name: rng.uniform(0, 2, len(GENES)) for name in CONTEXTS}
        self.graph = (rng.random((len(GENES), len(GENES))) < 0.1).astype(float)
        np.fill_diagonal(self.graph, 0)
        self.factor = rng.choice([-1.0, 1.0], len(GENES))
        self.rng = rng

    def folds(self, gene: str) -> np.ndarray:
        place = GENES.index(gene)
        found = self.factor * self.graph[place]
        found[place] = -1.0
        return found

    def delta(self, context: str, gene: str) -> np.ndarray:
        return sensitivity(self.states[context]) * self.folds(gene)

    def training(self, perturbed=PERTURBED, noise: float = 0.02) -> Training:
        table = [Condition(c, p, (p,), ()) for c in CONTEXTS[:3] for p in perturbed]
        delta = np.array([self.delta(c.context, c.pert) for c in table])
        delta = delta + self.rng.normal(0, noise, delta.shape)
        n = np.full(len(table), 20.0)
        spread = np.full(len(GENES), 20 * noise**2)
        return Training(GENES, table, delta, n, n * np.inf, spread, "context", self.states)

    def reached(self, matrix: np.ndarray) -> Reached:
        features = {}
        for gene in PERTURBED:
            row = matrix[GENES.index(gene)]
            features[gene] = row / np.sqrt(np.mean(row**2))
        return Reached({gene: i for i, gene in enumerate(GENES)}, {"graph": features})


def error(screen: Screen, rule, context: str, perturbed) -> float:
    asked = [Condition(context, p, (p,), ()) for p in perturbed]
    truth = np.array([screen.delta(context, p) for p in perturbed])
    return float(((rule(asked)[0] - truth) ** 2).mean())


@pytest.mark.parametrize("fit", [fold_mean, near_fold_mean])
def test_fold_changes_are_carried_to_a_context_whose_genes_are_expressed_otherwise(fit):
    screen = Screen()
    training = screen.training()
    carried = error(screen, fit(training, {}), "new", PERTURBED)
    assert carried < 0.1 * error(screen, perturbation_mean(training, {}), "new", PERTURBED)


def test_values_that_are_no_logarithms_of_counts_have_no_sensitivity():
    assert (sensitivity(np.array([-1.0, 0.0, 2.0])) == 1).all()


def test_what_does_not_repeat_between_contexts_is_not_believed():
    screen = Screen()
    noise = replace(screen.training(), delta=np.random.default_rng(1).normal(0, 1, (72, len(GENES))))
    told = fold_mean(noise, {})([Condition("new", "G0", ("G0",), ())])[0]
    assert np.square(told).mean() < 0.2 * np.square(perturbation_mean(noise, {})(noise.table[:1])[0]).mean()


def test_a_graph_tells_what_a_perturbation_does_that_training_never_showed():
    screen = Screen()
    training = screen.training(PERTURBED[:18])
    known = replace(training, reached=screen.reached(screen.graph))
    unseen = PERTURBED[18:]
    assert error(screen, fold_mean(known, {}), "a", unseen) < 0.5 * error(
        screen, train_mean(training, {}), "a", unseen
    )


def test_a_rewired_graph_is_not_read():
    screen = Screen()
    training = screen.training(PERTURBED[:18])
    rewired = screen.graph[:, np.random.default_rng(2).permutation(len(GENES))]
    scale = np.array([sensitivity(screen.states[c.context]) for c in training.table])
    for matrix, read in ((screen.graph, True), (rewired, False)):
        told = read_out(replace(training, reached=screen.reached(matrix)), training.delta, scale)
        assert bool(told.theta) is read
        assert told.kappa == pytest.approx(-1.0, abs=0.1)


def test_diagnostics_say_which_graph_a_start_reads():
    screen = Screen()
    told = graphs_read(replace(screen.training(), reached=screen.reached(screen.graph)))
    assert told["effect_on_target"] == pytest.approx(-1.0, abs=0.1)
    assert told["graphs"]["graph"] > 0
    assert graphs_read(screen.training()) == {}


def test_a_graph_without_the_perturbed_genes_says_nothing_of_them(small_task):
    task = small_task()
    reached = Reached.of(task, ["G1", "not a gene"], "multi")
    asked = [Condition("c0", "x", ("not a gene",), ())]
    assert len(reached.features) == 4
    assert not any(reached.of_conditions(name, asked).any() for name in reached.features)
    assert reached.of_conditions("ring", [Condition("c0", "G1", ("G1",), ())]).any()
