"""The cells of a task, condition by condition, read from memory maps when they are looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.digest import seed_from
from harness.metrics.inputs import Cells, Controls
from harness.scoring.answers import Answers
from harness.tasks.truth import Truth


@dataclass
class TaskCells:
    """Observed, predicted and control cells. The controls of one context at a time are kept."""

    dataset: PerturbDataset
    truth: Truth
    answers: Answers
    placed: NDArray[np.bool_]
    """Rows with a role; others are set aside, also as controls."""
    noisy: bool
    """The predicted variance is the spread of single cells: predicted cells have it."""
    _kept: tuple[str, Controls, tuple[Controls, ...]] | None = field(default=None, repr=False)

    def observed(self, index: int) -> Cells:
        return np.asarray(self.dataset.X[self.truth.conditions[index].rows])

    def predicted(self, index: int) -> tuple[Cells, Cells]:
        """The control cells that a condition's predictions start from, and the predicted cells."""
        noise = np.random.default_rng(self._seed("cell noise", index)) if self.noisy else None
        return self.answers.cells(self.dataset, index, noise)

    def control_rows(self, context: str) -> NDArray[np.int64]:
        """Dataset rows of all controls of a context with a role."""
        obs = self.dataset.obs
        return np.flatnonzero(obs.is_control & self.placed & (obs.context.codes == obs.context.code(context)))

    def controls(self, context: str) -> Controls:
        """All control cells of a context with a role: the reference of published definitions."""
        return self._of(context)[0]

    def references(self, context: str) -> tuple[Controls, ...]:
        """Pool B; pools B and C where few controls are cross-fitted; none where rows are effects already."""
        return self._of(context)[1]

    def targets(self, index: int) -> tuple[int, ...]:
        """Gene positions of a condition's own target genes."""
        genes = self.dataset.meta.perturbations.get(self.truth.conditions[index].condition.pert, [])
        return tuple(sorted({self._position[gene] for gene in genes if gene in self._position}))

    def draws(self, index: int) -> int:
        """Seed of the halves and samples of a condition; no submission changes it."""
        return self._seed("halves", index)

    @property
    def _position(self) -> dict[str, int]:
        if not self._positions:
            self._positions.update((gene, i) for i, gene in reversed(list(enumerate(self.dataset.genes))))
        return self._positions

    _positions: dict[str, int] = field(default_factory=dict, repr=False)

    def _seed(self, what: str, index: int) -> int:
        context, pert, covariates = self.truth.conditions[index].condition
        return seed_from(what, self.truth.split.hash, context, pert, *covariates)

    def _of(self, context: str) -> tuple[Controls, tuple[Controls, ...]]:
        if self._kept is None or self._kept[0] != context:
            self._kept = None  # before the next is read, so that two contexts are never held
            everything = Controls(np.asarray(self.dataset.X[self.control_rows(context)]))
            references = tuple(
                Controls(np.asarray(self.dataset.X[rows])) for rows in self.truth.references(context)
            )
            self._kept = (context, everything, references)
        return self._kept[1:]
