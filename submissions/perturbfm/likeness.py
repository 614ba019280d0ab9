"""How alike two conditions are, as a kernel for linear models: what is perturbed × where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.sdk import Condition
from perturbfm.baseline import EXTENDED, FALLBACK, NATIVE, gene_embedding, principal_axes
from perturbfm.conditions import Floats, Training


class Likeness:
    """Shared perturbed genes and their embeddings, in contexts alike by the principal components of their control states."""

    def __init__(self, training: Training, components: int, interaction: float, embedding: float) -> None:
        self.interaction, self.weight = interaction, embedding
        self.embedding = gene_embedding(training, components)
        self.known = {token for condition in training.table for token in _tokens(condition)}
        self.seen = {condition.pert for condition in training.table}
        states = np.array(list(training.states.values()))
        axes = principal_axes(states, components)
        self.place = {name: axes @ (state - states.mean(axis=0)) for name, state in training.states.items()}
        length = np.mean([place @ place for place in self.place.values()])
        self.length = float(length) if length > 0 else 1.0

    def kernel(self, left: Sequence[Condition], right: Sequence[Condition]) -> Floats:
        """Likeness of two lists of conditions, positive definite. [left, right]"""
        codes = {c.covariates: i for i, c in enumerate((*left, *right))}
        doses = [np.array([codes[c.covariates] for c in side], int) for side in (left, right)]
        same_dose = np.where(doses[0][:, None] == doses[1], 1.0, 0.5)
        context = self._places(left) @ self._places(right).T / self.length
        perturbed = (self.shared(left, right) + self.weight * self.embedded(left, right)) * same_dose
        return np.asarray(perturbed * (1 + self.interaction * context) + context)

    def shared(self, left: Sequence[Condition], right: Sequence[Condition]) -> Floats:
        """How many perturbed genes two conditions share. [left, right]"""
        names = {token: i for i, token in enumerate(sorted({t for c in (*left, *right) for t in _tokens(c)}))}
        return np.asarray(self._mask(left, names) @ self._mask(right, names).T)

    def embedded(self, left: Sequence[Condition], right: Sequence[Condition]) -> Floats:
        """Inner product of the summed embeddings of the perturbed genes. [left, right]"""
        return np.asarray(self._embedded(left) @ self._embedded(right).T)

    def support(self, condition: Condition) -> int:
        """Native where the perturbation was seen, extended where its parts or its genes' embeddings speak for it."""
        if condition.pert in self.seen:
            return NATIVE
        parts = _tokens(condition)
        return EXTENDED if any(part in self.known or part in self.embedding for part in parts) else FALLBACK

    def _mask(self, conditions: Sequence[Condition], names: dict[str, int]) -> Floats:
        mask = np.zeros((len(conditions), len(names)))
        for i, condition in enumerate(conditions):
            mask[i, [names[token] for token in _tokens(condition)]] = 1.0
        return mask

    def _embedded(self, conditions: Sequence[Condition]) -> Floats:
        width = len(next(iter(self.embedding.values())))
        sums = [
            sum((self.embedding[g] for g in c.genes if g in self.embedding), np.zeros(width))
            for c in conditions
        ]
        return np.array(sums).reshape(len(conditions), width)

    def _places(self, conditions: Sequence[Condition]) -> Floats:
        width = len(next(iter(self.place.values())))
        places = [self.place.get(condition.context, np.zeros(width)) for condition in conditions]
        return np.array(places).reshape(len(conditions), width)


def _tokens(condition: Condition) -> tuple[str, ...]:
    """What is perturbed: genes, or the perturbation itself where it has none."""
    return condition.genes or (f"id:{condition.pert}",)
