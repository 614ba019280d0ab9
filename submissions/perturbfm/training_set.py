"""Labelled conditions as tensors: what a network is shown of each, what it should say, and how a new condition looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.sdk import Condition, SdkError, Task
from perturbfm.baseline import EXTENDED, FALLBACK, NATIVE, cross_fitted_variance, folds, gene_embedding
from perturbfm.conditions import Floats, Training, novelty
from perturbfm.covariates import Covariates
from perturbfm.folds import sensitivity
from perturbfm.graphs import edges_of
from perturbfm.losses import Goal
from perturbfm.network import Expression, Inputs, World
from perturbfm.starts import FOLD_STARTS, STARTS, left_out
from perturbfm.states import States

FEATURES = 16
MOST_WEIGHT = 20.0


class Examples:
    """Conditions with their inputs and goals; the control states are kept once for each context."""

    def __init__(self, states: States, places: NDArray[np.int64], inputs: Inputs, goal: Goal) -> None:
        self.states, self.places, self.goal = states, places, goal
        self._inputs = inputs
        groups = np.unique(places)
        self._by_context = [np.flatnonzero(places == group) for group in groups]

    def __len__(self) -> int:
        return len(self.places)

    def inputs(self, rows: NDArray[np.int64]) -> Inputs:
        """What is shown of some conditions."""
        return self._with_states(rows, self.states.of(self.places[rows]))

    def batch(self, size: int, rng: np.random.Generator, augment: bool) -> tuple[Inputs, Goal]:
        """Contexts uniformly, then conditions of them uniformly; their controls drawn anew."""
        context = rng.integers(len(self._by_context), size=size)
        place = rng.random(size)
        rows = np.array(
            [
                self._by_context[c][int(p * len(self._by_context[c]))]
                for c, p in zip(context, place, strict=True)
            ]
        )
        places = self.places[rows]
        states = self.states.resampled(places, rng) if augment else self.states.of(places)
        return self._with_states(rows, states), self.goal.take(torch.from_numpy(rows))

    def _with_states(self, rows: NDArray[np.int64], states: NDArray[np.float32]) -> Inputs:
        rest = torch.from_numpy(rows)
        return Inputs(
            torch.from_numpy(states),
            self._inputs.genes[rest],
            self._inputs.ids[rest],
            self._inputs.covariates[rest],
        )


@dataclass(frozen=True)
class Scales:
    """What is the same whichever conditions are left out: the unit of each gene and the order of names."""

    unit: Floats
    """√(sampling variance + share of the effects' variance) of a condition's mean delta. [genes]"""
    vocabulary: dict[str, int]
    states: States
    covariates: Covariates

    @classmethod
    def of(cls, task: Task, training: Training) -> Scales:
        """From all labelled conditions."""
        sampling = (
            (training.spread[None] / training.n_rows[:, None]).mean(axis=0) if len(training.table) else 0.0
        )
        effects = float((training.delta**2).mean()) if len(training.table) else 1.0
        unit = np.sqrt(sampling + 0.1 * effects + 1e-12) * np.ones(len(task.genes))
        extra = dict.fromkeys(g for c in training.table for g in c.genes if g not in task.gene_index)
        vocabulary = {gene: i for i, gene in enumerate([*task.genes, *extra])}
        return cls(unit, vocabulary, States(task, training), Covariates.of(training.table))


class Part:
    """Some labelled conditions to learn from, and any condition as it looks to who has seen only these."""

    def __init__(
        self,
        task: Task,
        training: Training,
        start: str,
        scales: Scales,
        spread: dict[str, Floats] | None = None,
        combo_weight: float = 1.0,
    ) -> None:
        self.training, self.scales, self.start = training, scales, start
        self.rule = STARTS[start](training, {})
        self.combo_weight = combo_weight
        self._spread = {} if spread is None else spread
        self._ids = {pert: i for i, pert in enumerate(dict.fromkeys(c.pert for c in training.table))}
        self._start: Floats | None = None
        self.mean = training.mean()
        seen = np.zeros(len(scales.vocabulary), np.float32)
        seen[[scales.vocabulary[g] for c in training.table for g in c.genes]] = 1.0
        self.world = World(
            n_genes=len(task.genes),
            n_ids=len(self._ids),
            n_covariates=scales.covariates.width,
            features=self._features(),
            seen=torch.from_numpy(seen),
            graphs={name: edges_of(graph, scales.vocabulary) for name, graph in task.graphs.items()},
            expression=self._expression(),
        )

    def examples(self) -> Examples:
        """The conditions of this part, each beside what the start says of it when it is left out."""
        return self._examples(self.training, self._left_out())

    def others(self, held: Training) -> Examples:
        """Other labelled conditions, to see how well they are predicted."""
        return self._examples(held, self.rule(held.table)[0])

    def inputs(self, asked: Sequence[Condition]) -> Inputs:
        """What is shown of conditions, labelled or not."""
        places = self.scales.states.indices([condition.context for condition in asked])
        return self._look(asked)._replace(state=torch.from_numpy(self.scales.states.of(places)))

    def spread(self, kind: str) -> Floats:
        """Variance of the start's error on conditions that are new in a way. [genes]"""
        if kind not in self._spread:
            self._spread[kind] = cross_fitted_variance(STARTS[self.start], self.training, {}, kind)
        return self._spread[kind]

    def spreads(self, asked: Sequence[Condition]) -> Floats:
        """The same for each of some conditions. [conditions, genes]"""
        shown = set(self.training.table)
        kinds = [
            self.training.axis if condition in shown else kind
            for condition, kind in zip(asked, novelty(self.training.table, asked), strict=True)
        ]
        spread = np.array([self.spread(kind) for kind in kinds]).reshape(len(asked), -1)
        return spread * self._reach([condition.context for condition in asked])

    def answers(self, asked: Sequence[Condition]) -> Floats:
        """The start of each condition; one that training has shown starts where it did in training, left out. [·, genes]"""
        found = self.rule(asked)[0]
        known, places = self._known(asked)
        if len(known):
            found[known] = self._left_out()[places]
        return found

    def recalled(
        self, asked: Sequence[Condition], mean: Floats, var: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Mean and variance once what training has seen of a condition itself is taken in, and by how much var shrank.

        For others nothing changes. [conditions, genes] each
        """
        known, places = self._known(asked)
        mean, var, kept = mean.copy(), var.copy(), np.ones_like(var)
        if not len(known) or not self.training.spread.any():
            return mean, var, kept
        data = self.training
        noise = data.spread * (1 / data.n_rows + 1 / data.n_controls)[places, None]
        kept[known] = noise / (var[known] + noise)
        mean[known] += (1 - kept[known]) * (data.delta[places] - mean[known])
        var[known] *= kept[known]
        return mean, var, kept

    def _known(self, asked: Sequence[Condition]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the asked-for conditions training has shown, and where."""
        position = {condition: i for i, condition in enumerate(self.training.table)}
        known = np.array([i for i, condition in enumerate(asked) if condition in position], np.int64)
        return known, np.array([position[asked[i]] for i in known], np.int64)

    def _left_out(self) -> Floats:
        if self._start is None:
            self._start = left_out(STARTS[self.start], self.training)
        return self._start

    def support(self, asked: Sequence[Condition]) -> NDArray[np.uint8]:
        """Native where training has the perturbation, extended where it is at least of known genes."""
        native = {condition.pert for condition in self.training.table}
        known = self.scales.vocabulary
        return np.array(
            [
                NATIVE if c.pert in native else EXTENDED if any(g in known for g in c.genes) else FALLBACK
                for c in asked
            ],
            np.uint8,
        )

    def _expression(self) -> Expression | None:
        states = self.scales.states
        if self.start not in FOLD_STARTS or any((state < 0).any() for state in self.training.states.values()):
            return None
        return Expression(*(_tensor(values) for values in (states.centre, states.scale, self.scales.unit)))

    def _reach(self, contexts: Sequence[str]) -> Floats:
        """How the variance of effects in a context compares with the average over contexts. [contexts, genes]"""
        if self.world.expression is None:
            return np.ones((len(contexts), 1))
        states = {name: sensitivity(state) ** 2 for name, state in self.training.states.items()}
        average = np.mean(list(states.values()), axis=0)
        return np.array([states.get(name, average) / average for name in contexts]).reshape(len(contexts), -1)

    def _features(self) -> Tensor:
        embedding = gene_embedding(self.training, FEATURES)
        width = len(next(iter(embedding.values())))
        features = np.zeros((len(self.scales.vocabulary), max(width, 1)), np.float32)
        for gene, coordinates in embedding.items():
            features[self.scales.vocabulary[gene], :width] = coordinates
        return torch.from_numpy(features)

    def _look(self, asked: Sequence[Condition]) -> Inputs:
        most = max([len(condition.genes) for condition in asked], default=0) or 1
        genes = np.full((len(asked), most), -1, np.int64)
        for i, condition in enumerate(asked):
            places = [self.scales.vocabulary.get(gene, -1) for gene in condition.genes]
            genes[i, : len(places)] = places
        ids = np.array([self._ids.get(condition.pert, -1) for condition in asked], np.int64)
        return Inputs(
            torch.zeros(0),
            torch.from_numpy(genes),
            torch.from_numpy(ids),
            torch.from_numpy(self.scales.covariates.encode(asked)),
        )

    def _examples(self, labelled: Training, start: Floats) -> Examples:
        unit = self.scales.unit
        places = self.scales.states.indices([condition.context for condition in labelled.table])
        noise = labelled.spread[None] * (1 / labelled.n_rows + 1 / labelled.n_controls)[:, None] / unit**2
        combined = np.array([len(condition.genes) > 1 for condition in labelled.table])
        importance = np.where(combined, self.combo_weight, 1.0)
        reach = self._reach([condition.context for condition in labelled.table])
        prior = reach * self.spread(self.training.axis) / unit**2
        goal = Goal(
            target=_tensor((labelled.delta - start) / unit),
            start=_tensor((start - self.mean) / unit),
            noise=_tensor(noise),
            prior=_tensor(prior),
            weight=_tensor(de_weights(labelled, unit)),
            importance=_tensor(importance / max(importance.mean(), 1e-12)),
            context=torch.from_numpy(places),
            condition=torch.arange(len(places)),
        )
        return Examples(self.scales.states, places, self._look(labelled.table), goal)


def de_weights(training: Training, unit: Floats) -> Floats:
    """Half even, half by the squared score of the effect against the other conditions of its context; 1 on average.

    [conditions, genes]
    """
    contexts = [condition.context for condition in training.table]
    score = training.delta.copy()
    for context in dict.fromkeys(contexts):
        rows = [i for i, name in enumerate(contexts) if name == context]
        if len(rows) > 1:
            score[rows] -= training.delta[rows].mean(axis=0)
    score = np.square(score / unit)
    share = np.minimum(score / np.maximum(score.mean(axis=1, keepdims=True), 1e-12), MOST_WEIGHT)
    return np.asarray(0.5 + 0.5 * share / np.maximum(share.mean(axis=1, keepdims=True), 1e-12))


def held_out(task: Task, training: Training) -> NDArray[np.bool_] | None:
    """Which conditions to stop early by: those of role `val`, else new ones of an inner split; None where there is no two.

    [conditions]
    """
    found = task.conditions("train")
    validation = np.flatnonzero(task.train.obs["role"] == "val")
    rows = validation[found.of_row[validation] >= 0]
    if not len(rows):
        for axis in dict.fromkeys((training.axis, "condition")):
            try:
                rows = task.inner_split(axis)[1]
                break
            except SdkError:
                continue
        else:
            return None
    held = {found.table[i] for i in np.unique(found.of_row[rows])}
    mask = np.array([condition in held for condition in training.table])
    return mask if 0 < mask.sum() < len(mask) else None


def held_out_folds(task: Task, training: Training, most: int) -> list[NDArray[np.bool_]]:
    """Several such sets, each of other conditions, so that what is fitted on them does not hang on one context alone.

    Role `val`, where there is one, is the only set.
    """
    if (task.train.obs["role"] == "val").any():
        held = held_out(task, training)
        return [] if held is None else [held]
    fold = folds(training, training.axis)
    masks = [fold == number for number in range(int(fold.max(initial=-1)) + 1)]
    masks = [mask for mask in masks if 0 < mask.sum() < len(mask)]
    return masks[:most] if len(masks) > 1 else []


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
