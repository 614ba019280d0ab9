"""The first stage of a score: each condition on its own, as cells. It may run in any process, in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.digest import Digest
from harness.metrics import celleval, perturbench, scperturbench, scperturbench_calibrated
from harness.metrics.card import Undefined, Value, cards
from harness.metrics.inputs import CalibratedCells, Cells, ConditionCells, ConditionEffects
from harness.metrics.moments import moments
from harness.metrics.pca import PrincipalAxes
from harness.scoring.task_cells import TaskCells
from harness.scoring.truth_cache import TruthCache
from harness.scoring.truth_side import (
    CellSide,
    ContextSide,
    TaskSide,
    TruthSide,
    anchors_of,
    context_side,
    task_side,
    truth_side,
)
from harness.scoring.values import mean_of_references

Profile = NDArray[np.float64]
CELL_KINDS = ("reported", "iid")
"""Conditions that are scored as cells; those that calibrate are effects only, canaries have no cells."""
NOT_CELLS = "not applicable: the rows of this dataset are profiles, which have no distribution of cells"
ROWS = (
    "observed", "predicted", "predicted_effect", "cells_mean", "cells_squares", "half_1_mean", "half_1_squares",
    "half_2_mean", "half_2_squares", "effect_0", "effect_1",
)  # fmt: skip
"""One row per condition and gene each, for the stages that follow; NaN where there is none."""
SIDES = ("observed", "predicted")


@dataclass(frozen=True)
class ScoredCells:
    """What one condition hands on."""

    index: int
    """Position among the truth's conditions."""
    values: dict[str, dict[str, Value]]
    """By panel and metric."""
    carried: dict[str, Value]
    """Numbers that metrics across conditions need."""
    rows: dict[str, Profile]


class ConditionStage:
    """Scores conditions of one task and one predictions file."""

    def __init__(self, task: TaskCells, kept: TruthCache) -> None:
        self._task, self._kept = task, kept
        self._reminded = ""

    def score(self, index: int) -> ScoredCells:
        """One condition."""
        task = self._task
        asked = task.truth.conditions[index]
        self._remember(asked.condition.context)
        observed = task.observed(index)
        basal, predicted = task.predicted(index)
        calibrated = self._calibrated(index, observed, predicted, basal)
        as_cells = calibrated if asked.kind in CELL_KINDS else ()
        truth = self._kept.get(
            f"condition-{index}", TruthSide, lambda: truth_side(task, index, observed, as_cells, self.axes)
        )
        told = moments(predicted)
        rows = self._rows(index, truth, told.mean)
        if truth.cells is None:
            empty = {name: np.full(width, np.nan) for name, width in self.widths.items()}
            return ScoredCells(index, {}, {}, empty | rows)
        cells = ConditionCells(observed, predicted, task.controls(asked.condition.context))
        cells.remind(truth.effect.observed, told)
        return self._score_cells(index, cells, calibrated, truth, truth.cells, rows)

    @cached_property
    def axes(self) -> PrincipalAxes | Undefined:
        """The principal axes of the task."""
        return self._kept.get("task", TaskSide, lambda: task_side(self._task)).axes

    @cached_property
    def widths(self) -> dict[str, int]:
        """The rows that conditions hand on, each with its length."""
        n_genes, file = self._task.dataset.meta.n_vars, self._task.answers.file
        n_axes = 1 if isinstance(self.axes, Undefined) else len(self.axes.axes)
        given = {"variance": file.var is not None, "epistemic": file.epistemic is not None}
        widths = dict.fromkeys((*ROWS, *(name for name, there in given.items() if there)), n_genes)
        for side in SIDES:
            widths |= {f"{side}_scores": n_genes, f"{side}_cloud": perturbench.RANK_CELLS * n_axes}
        return widths

    def context(self, context: str) -> ContextSide:
        """What is known of the controls of a context."""
        return self._kept.get(
            f"context-{context_file(context)}", ContextSide, lambda: context_side(self._task, context)
        )

    def _score_cells(
        self,
        index: int,
        cells: ConditionCells,
        calibrated: tuple[CalibratedCells, ...],
        truth: TruthSide,
        side: CellSide,
        rows: dict[str, Profile],
    ) -> ScoredCells:
        told = cells.predicted_moments
        predicted_side = celleval.side(cells.predicted, cells.controls, told.mean)
        seed = self._task.draws(index)
        sides = {
            "observed": side.scored,
            "predicted": perturbench.side(cells.predicted, cells.controls, self.axes, seed, told),
        }
        effect = rows["predicted_effect"]
        effects = ConditionEffects(
            truth.effect.effect, effect, None, calibrated[0].targets, None, None, None, None
        )
        anchors = anchors_of(side, calibrated[0])
        values: dict[str, dict[str, Value]] = {
            "scperturbench": scperturbench.condition_values(cells, observed=side.published),
            "perturbench": perturbench.condition_values(
                cells, self.axes, sides["observed"], sides["predicted"]
            ),
            "celleval": celleval.condition_values(cells, side.columns, predicted_side),
            "calibrated": mean_of_references(
                [
                    scperturbench_calibrated.cell_values(
                        one, effects, anchors, moments=(cells.observed_moments, told), calls=calls
                    )
                    for one, calls in zip(calibrated, side.calls, strict=True)
                ]
            ),
        }
        carried = _totals("observed", side.columns) | _totals("predicted", predicted_side)
        for name, one in sides.items():
            rows |= self._side_rows(name, one.for_ranks(seed))
        if self._task.dataset.meta.unit == "profile":
            values = without_cells(values)
        return ScoredCells(index, values, carried, rows)

    def _calibrated(
        self, index: int, observed: Cells, predicted: Cells, basal: Cells
    ) -> tuple[CalibratedCells, ...]:
        """The condition against each reference; without any, against no control at all."""
        task = self._task
        context = task.truth.conditions[index].condition.context
        references = task.references(context) or (task.controls(context),)
        return tuple(
            CalibratedCells(observed, predicted, basal, reference, task.targets(index), task.draws(index))
            for reference in references
        )

    def _rows(self, index: int, truth: TruthSide, predicted: Profile) -> dict[str, Profile]:
        side = truth.effect
        effect = self._task.answers.mean([index])[0]
        nothing = np.full_like(effect, np.nan)
        halves = side.halves or (None, None)
        rows = {
            "observed": side.observed.mean,
            "predicted": predicted,
            "predicted_effect": effect,
            "cells_mean": side.cells.mean,
            "cells_squares": side.cells.squares,
            "effect_0": side.effects[0],
            "effect_1": side.effects[1] if len(side.effects) > 1 else nothing,
        }
        for number, half in enumerate(halves, 1):
            rows[f"half_{number}_mean"] = nothing if half is None else half.mean
            rows[f"half_{number}_squares"] = nothing if half is None else half.squares
        if self._task.answers.file.var is not None:
            rows["variance"] = self._task.answers.variance([index])[0]
        if self._task.answers.file.epistemic is not None:
            rows["epistemic"] = self._task.answers.epistemic([index])[0]
        return rows

    def _side_rows(self, name: str, side: perturbench.Side) -> dict[str, Profile]:
        """t-scores and cells of one side, filled up with NaN."""
        rows = {}
        for part, found in (("scores", side.scores), ("cloud", side.cloud)):
            row = np.full(self.widths[f"{name}_{part}"], np.nan)
            if found is not None:
                row[: found.size] = found.ravel()
            rows[f"{name}_{part}"] = row
        return rows

    def _remember(self, context: str) -> None:
        if self._reminded == context:
            return
        self.context(context).remind(self._task.controls(context))
        self._reminded = context


def context_file(context: str) -> str:
    """A name for a file of a context, whose own name may hold anything."""
    return Digest("context").field("name", context).hexdigest()[:16]


def without_cells(values: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Value]]:
    """Values of profile data: what needs a distribution of cells is not applicable."""
    known = cards()
    return {
        panel: {
            name: Undefined(NOT_CELLS) if "cells" in known[f"{panel}.{name}"].needs else value
            for name, value in named.items()
        }
        for panel, named in values.items()
    }


def _totals(side: str, found: celleval.Side | Undefined) -> dict[str, Value]:
    if isinstance(found, Undefined):
        return {f"{side}_distance": found, f"{side}_significant": found}
    totals = found.totals
    return {f"{side}_distance": totals.distance, f"{side}_significant": float(totals.significant)}
