"""Which conditions stand where: contexts, perturbations, and how much each counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Design:
    """Conditions nested in contexts; a perturbation may be seen in several of them."""

    contexts: Ints
    """Context of each condition, numbered from 0. [conditions]"""
    perturbations: Ints
    """Perturbation of each condition, numbered from 0. [conditions]"""

    @classmethod
    def of(cls, contexts: Sequence[object] | Ints, perturbations: Sequence[object] | Ints) -> Design:
        """From names or numbers, one per condition; none at all is an error, for nothing has no mean."""
        if len(contexts) != len(perturbations):
            raise HarnessError(
                "contexts and perturbations speak of different conditions",
                got=f"{len(contexts)} contexts, {len(perturbations)} perturbations",
                expected="one of each per condition",
            )
        if not len(contexts):
            raise HarnessError(
                "there are no conditions to do statistics on",
                got="0 conditions",
                expected="at least one condition that is defined on both sides",
            )
        return cls(_numbered(contexts), _numbered(perturbations))

    def kept(self, keep: NDArray[np.bool_]) -> Design:
        """Only some conditions, numbered anew."""
        return Design.of(self.contexts[keep], self.perturbations[keep])

    @property
    def n(self) -> int:
        return len(self.contexts)

    @cached_property
    def n_contexts(self) -> int:
        return int(self.contexts.max()) + 1

    @cached_property
    def n_perturbations(self) -> int:
        return int(self.perturbations.max()) + 1

    @cached_property
    def sizes(self) -> Ints:
        """Conditions of each context. [contexts]"""
        return np.bincount(self.contexts).astype(np.int64)

    @cached_property
    def weights(self) -> Floats:
        """What each condition counts: contexts equally, and conditions equally within theirs. [conditions]"""
        return 1.0 / (self.n_contexts * self.sizes[self.contexts])

    @cached_property
    def averages(self) -> Floats:
        """Takes conditions to the means of their contexts. [contexts, conditions]"""
        return _indicator(self.contexts) / self.sizes[:, None]

    @cached_property
    def crossed(self) -> bool:
        """Whether a perturbation stands in more than one context."""
        return self.n_perturbations < len(np.unique(np.stack([self.contexts, self.perturbations]), axis=1).T)

    def by_perturbation(self, values: Floats) -> Floats:
        """Sums over the conditions of each perturbation. [conditions, …] → [perturbations, …]"""
        return np.asarray(_indicator(self.perturbations) @ values)

    def cells(self) -> Ints:
        """The pair of context and perturbation of each condition, numbered from 0. [conditions]"""
        return _numbered(self.contexts * self.n_perturbations + self.perturbations)


def _numbered(names: Sequence[object] | Ints) -> Ints:
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64).reshape(-1)


def _indicator(codes: Ints) -> Floats:
    """1 where a column belongs to a row. [groups, conditions]"""
    return np.equal(np.arange(int(codes.max()) + 1)[:, None], codes[None, :]).astype(np.float64)
