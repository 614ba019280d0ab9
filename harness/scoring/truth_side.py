"""What the scorer needs of the truth alone: the same for every submission on a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.digest import seed_from
from harness.metrics import celleval, perturbench, scperturbench
from harness.metrics.card import Undefined
from harness.metrics.cell_distances import MAX_CELLS, Anchors, anchor, without_targets
from harness.metrics.de_agreement import ObservedCalls, call_observed
from harness.metrics.gene_sets import GeneRanking
from harness.metrics.inputs import CalibratedCells, Cells, Controls
from harness.metrics.moments import Moments, moments
from harness.metrics.pca import PrincipalAxes, chosen_rows, principal_axes
from harness.metrics.sampling import halves, sample
from harness.scoring.task_cells import TaskCells
from harness.scoring.train_distance import Distance
from harness.scoring.training import Training

Profile = NDArray[np.float64]
NO_CELLS = np.zeros((0, 0))


@dataclass(frozen=True)
class EffectSide:
    """A condition as an effect."""

    observed: Moments
    """Of expression."""
    effects: NDArray[np.float64]  # [references, genes]; against each reference
    cells: Moments
    """Of the observed cells; of their effects where rows have each their own control or are effects already."""
    halves: tuple[Moments, Moments] | None

    @property
    def effect(self) -> Profile:
        """The effect, averaged over the references."""
        return np.asarray(self.effects.mean(axis=0), np.float64)


@dataclass(frozen=True)
class CellSide:
    """A condition as cells."""

    published: scperturbench.ObservedSide
    columns: celleval.Side | Undefined
    anchors: Anchors
    """Without the observed cells, which are on disk already."""
    scored: perturbench.Side
    calls: tuple[ObservedCalls | Undefined, ...]
    """Against each reference."""


@dataclass(frozen=True)
class TruthSide:
    """Everything of one condition."""

    effect: EffectSide
    cells: CellSide | None
    """None for conditions that only calibrate."""


@dataclass(frozen=True)
class ContextSide:
    """The controls of one context."""

    controls: Moments
    references: tuple[Moments, ...]
    mean_distance: float
    """Of all ordered pairs of controls."""

    def remind(self, controls: Controls) -> None:
        """Hand over what was computed of these controls before."""
        # cached properties are looked up in the instance first
        controls.__dict__.update(moments=self.controls, mean_distance=self.mean_distance)


@dataclass(frozen=True)
class TaskSide:
    """Of the whole task: the principal axes of the reported cells and the controls of their contexts."""

    axes: PrincipalAxes | Undefined


CLASSES: tuple[type, ...] = (
    TruthSide, EffectSide, CellSide, ContextSide, TaskSide, Training, PrincipalAxes, Moments, GeneRanking, Anchors,
    Undefined, Distance, scperturbench.ObservedSide, celleval.Side, perturbench.Side, ObservedCalls,
)  # fmt: skip
"""What these are made of."""


def task_side(task: TaskCells) -> TaskSide:
    """Find the principal axes of a task."""
    asked = [task.truth.conditions[i] for i in task.truth.of_kind("reported").tolist()]
    contexts = sorted({one.condition.context for one in asked})
    rows = np.concatenate([*(one.rows for one in asked), *(task.control_rows(name) for name in contexts)])
    seed = seed_from("principal axes", task.truth.split.hash)
    chosen = np.sort(rows)[chosen_rows(len(rows), task.dataset.meta.n_vars, seed)]
    return TaskSide(principal_axes(np.asarray(task.dataset.X[chosen])))


def context_side(task: TaskCells, context: str) -> ContextSide:
    """Measure the controls of a context."""
    controls = task.controls(context)
    distance = controls.mean_distance if len(controls.cells) else 0.0
    return ContextSide(controls.moments, tuple(r.moments for r in task.references(context)), distance)


def truth_side(
    task: TaskCells,
    index: int,
    observed: Cells,
    calibrated: Sequence[CalibratedCells],
    axes: PrincipalAxes | Undefined,
) -> TruthSide:
    """Measure the truth of a condition; as cells too where `calibrated` is given, against each reference."""
    effect = _effect_side(task, index, observed)
    if not calibrated:
        return TruthSide(effect, None)
    controls = task.controls(task.truth.conditions[index].condition.context)
    cells = CellSide(
        scperturbench.observed_side(observed, controls),
        celleval.side(observed, controls, effect.observed.mean),
        replace(anchor(calibrated[0]), observed=NO_CELLS),
        perturbench.side(observed, controls, axes, task.draws(index), effect.observed).measured(),
        tuple(call_observed(one) for one in calibrated),
    )
    return TruthSide(effect, cells)


def anchors_of(side: CellSide, cells: CalibratedCells) -> Anchors:
    """The anchors of a condition with its observed cells."""
    rows = sample(len(cells.observed), MAX_CELLS, cells.seed)
    chosen = cells.observed if len(rows) == len(cells.observed) else cells.observed[rows]
    return replace(side.anchors, observed=without_targets(chosen, cells.targets))


def _effect_side(task: TaskCells, index: int, observed: Cells) -> EffectSide:
    truth, dataset = task.truth, task.dataset
    asked = truth.conditions[index]
    n_references = len(truth.references(asked.condition.context))
    whole = moments(observed)
    if truth.paired or not n_references:
        own = np.asarray(dataset.delta(asked.rows))
        effects, cells = truth.delta(dataset, index)[None], moments(own)
    else:
        own, cells = observed, whole
        effects = np.stack([truth.delta(dataset, index, reference=r) for r in range(n_references)])
    parts = halves(len(own), task.draws(index))
    enough = min(len(part) for part in parts) > 0
    split = (moments(own[parts[0]]), moments(own[parts[1]])) if enough else None
    return EffectSide(whole, effects, cells, split)
