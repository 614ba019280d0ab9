"""The third stage of a score: the whole task as forecasts, for the uncertainty panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.datasets.npy import create_array
from harness.digest import seed_from
from harness.metrics.forecasts import TOO_FEW_CELLS, Forecasts, TrainingResiduals
from harness.metrics.uncertainty import TaskSummary, summarise
from harness.metrics.variance import total_variance
from harness.scoring.condition_stage import ConditionStage
from harness.scoring.parts import Parts
from harness.scoring.task_cells import TaskCells
from harness.scoring.training import Training
from harness.scoring.variance import Variance

Rows = NDArray[np.float64]  # [1, genes]
MATRICES = ("mean", "observed", "variance", "sampling")


def summarise_task(
    task: TaskCells,
    parts: Parts,
    cells: ConditionStage,
    training: Training,
    variance: Variance,
    scratch: Path,
    distance: NDArray[np.float64] | None = None,
) -> TaskSummary:
    """The uncertainty panel of all conditions; matrices of conditions × genes stand in files in `scratch`."""
    indices = parts.indices()
    asked = [task.truth.conditions[i] for i in indices]
    matrices = _matrices(task, parts, cells, variance, scratch)
    n_genes = task.dataset.meta.n_vars
    nothing = np.full(n_genes, np.nan)
    forecasts = Forecasts(
        perturbations=tuple(one.condition.pert for one in asked),
        contexts=tuple(one.condition.context for one in asked),
        kinds=tuple(one.kind for one in asked),
        strata=tuple(one.stratum for one in asked),
        n_cells=np.array([len(one.rows) for one in asked], np.int64),
        mean=matrices["mean"],
        observed=matrices["observed"],
        variance=matrices["variance"],
        sampling=matrices["sampling"],
        claimed=matrices["claimed"],
        epistemic=matrices.get("epistemic"),
        residuals=TrainingResiduals(
            training.mean, nothing if training.variance is None else training.variance
        ),
        var_kind=variance.kind,
        filled=variance.source == "filled",
        no_variance=variance.reason or TOO_FEW_CELLS,
        distance=distance,
    )
    return summarise(forecasts, seed_from("uncertainty", task.truth.split.hash) % (1 << 32))


def _matrices(
    task: TaskCells, parts: Parts, cells: ConditionStage, variance: Variance, scratch: Path
) -> dict[str, NDArray[np.float64]]:
    indices = parts.indices()
    shape = (len(indices), task.dataset.meta.n_vars)
    file = task.answers.file
    names = [*MATRICES, *(["claimed"] if file.var is not None else [])]
    names += ["epistemic"] if file.epistemic is not None else []
    made = {name: create_array(scratch / f"{name}.npy", "<f8", shape) for name in names}
    if variance.source != "native":
        filled = np.full(shape[1], np.nan) if variance.filled is None else variance.filled
        made["claimed"] = np.broadcast_to(filled, shape)
    for row, index in enumerate(indices):
        of_cells, of_reference = _sampling_variance(task, parts, cells, index)
        made["mean"][row] = parts.rows("predicted_effect", [index])[0]
        made["observed"][row] = effect(parts, index)
        made["sampling"][row] = of_cells + of_reference
        if variance.source != "native":
            made["variance"][row] = made["claimed"][row]
            continue
        made["claimed"][row] = parts.rows("variance", [index])[0]
        model = parts.rows("epistemic", [index]) if "epistemic" in made else None
        if model is not None:
            made["epistemic"][row] = model[0]
        n = np.array([len(task.truth.conditions[index].rows)])
        claimed = made["claimed"][row][None]
        made["variance"][row] = total_variance(
            claimed, model, variance.kind, of_cells[None], of_reference[None], n
        )[0]
    return made


def effect(parts: Parts, index: int) -> NDArray[np.float64]:
    """The observed effect, averaged over its references. [genes]"""
    found = [parts.rows(f"effect_{r}", [index])[0] for r in (0, 1)]
    kept = [one for one in found if not np.isnan(one).all()]
    return np.asarray(np.mean(kept, axis=0), np.float64)


def effect_sizes(parts: Parts) -> Rows:
    """Root mean square over genes of the observed and of the predicted effect of each condition. [conditions, 2]"""
    found = [
        [
            float(np.sqrt(np.mean(np.square(one))))
            for one in (effect(parts, i), parts.rows("predicted_effect", [i])[0])
        ]
        for i in parts.indices()
    ]
    return np.array(found, np.float64).reshape(-1, 2)


def _sampling_variance(
    task: TaskCells, parts: Parts, cells: ConditionStage, index: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance of the mean of the observed cells, and of the mean of the references. [genes] each"""
    asked = task.truth.conditions[index]
    n = len(asked.rows)
    squares = parts.rows("cells_squares", [index])[0]
    own = squares / (n - 1) / n if n > 1 else np.full_like(squares, np.nan)
    references = cells.context(asked.condition.context).references
    if task.truth.paired or not references:
        return own, np.zeros_like(own)
    variances = [reference.variance / reference.n for reference in references]
    return own, np.asarray(np.sum(variances, axis=0) / len(references) ** 2, np.float64)
