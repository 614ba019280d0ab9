"""What was observed of a condition: its effect against each reference, and how well finite cells determine it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.metrics.moments import moments
from harness.tasks.truth import Truth


class Observation(NamedTuple):
    """The observed effect of one condition against one reference."""

    effect: NDArray[np.float64]  # [genes]
    cells_variance: NDArray[np.float64]  # [genes]; s²_T/n_T, NaN for fewer than two cells
    reference_variance: NDArray[np.float64]  # [genes]; s²_B/n_B, 0 where rows are effects already
    n_cells: int


@dataclass
class Observer:
    """Observations of a task's conditions; the references of a context are summed once."""

    dataset: PerturbDataset
    truth: Truth
    _reference: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)

    def observe(self, condition: int) -> list[Observation]:
        """One observation per reference: pool B; B and C where few controls are cross-fitted."""
        asked = self.truth.conditions[condition]
        context = asked.condition.context
        references = range(len(self.truth.references(context)))
        if self.truth.paired or not references:
            return [self._own_reference(condition)]
        cells = moments(self.dataset.X[asked.rows])
        return [
            Observation(
                self.truth.delta(self.dataset, condition, reference=reference),
                cells.variance / cells.n,
                self._reference_variance(context, reference),
                cells.n,
            )
            for reference in references
        ]

    def _own_reference(self, condition: int) -> Observation:
        """Rows that are effects already, or have each their own control: no reference adds its noise."""
        effects = moments(self.dataset.delta(self.truth.conditions[condition].rows))
        effect = self.truth.delta(self.dataset, condition)
        return Observation(effect, effects.variance / effects.n, np.zeros_like(effect), effects.n)

    def _reference_variance(self, context: str, reference: int) -> NDArray[np.float64]:
        key = (context, reference)
        if key not in self._reference:
            found = moments(self.dataset.X[self.truth.references(context)[reference]])
            self._reference[key] = found.variance / found.n
        return self._reference[key]
