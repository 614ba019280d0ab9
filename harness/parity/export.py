"""A run's inputs as parity cases: what a reference program needs to compute the same conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.predictions import open_predictions
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.errors import ChangedError, HarnessError
from harness.metrics.inputs import Cells
from harness.parity.case_values import condition_name
from harness.records.ledger import enter_look
from harness.records.run_folder import RunFolder
from harness.scoring.answers import answers_to_queries
from harness.scoring.evaluate import expected_rows, predictions_in
from harness.scoring.task_cells import TaskCells
from harness.settings import Settings
from harness.splits.store import SplitStore
from harness.storage import new_folder, write_json
from harness.tasks.folder import Task, open_task
from harness.tasks.truth import load_truth

Format = Literal["scperturbench", "perturbench", "celleval"]
COVARIATE = "context"
PCA_COMPONENTS = 50


@dataclass(frozen=True)
class Exported:
    """Where the cases lie, and what they hold."""

    folder: Path
    cases: list[str]
    conditions: int
    observed_cells: int
    predicted_cells: int


@dataclass(frozen=True)
class ContextCase:
    """The reported conditions of one context, as cells."""

    context: str
    control_label: str
    genes: list[str]
    controls: Cells
    labels: list[str]
    """Perturbations, with their covariates where they have some."""
    observed: list[Cells]
    predicted: list[Cells]


def export_run(run: RunFolder, out: Path, settings: Settings, panel: Format) -> Exported:
    """Write one case per context. The sealed truth is opened, which for a test task is entered in the ledger."""
    cells = open_cells(run, settings)
    cases: list[str] = []
    counts = np.zeros(3, np.int64)
    with new_folder(out, kind="parity cases") as folder:
        for case in context_cases(cells):
            name = f"{len(cases):03d}_{re.sub(r'[^A-Za-z0-9_.-]', '_', case.context)}"
            document, arrays = FORMATS[panel](case)
            np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **arrays)
            about = {"case": name, "panel": panel, "context": case.context, "run": run.record.run}
            conditions = [condition_name(case.context, label) for label in case.labels]
            write_json(folder / f"{name}.json", about | {"conditions": conditions} | document)
            cases.append(name)
            counts += [len(case.labels), sum(map(len, case.observed)), sum(map(len, case.predicted))]
    return Exported(out, cases, *counts.tolist())


def open_cells(run: RunFolder, settings: Settings) -> TaskCells:
    """The observed, predicted and control cells of a finished run; what has changed since is refused.

    They hold the truth of the run's task: for a test task a line of the ledger says so before it is opened.
    """
    path = predictions_in(run.path)
    if path is None:
        raise HarnessError(
            "this run keeps no predictions", where=run.path, mend="run it again without discarding them"
        )
    dataset = _dataset(run, settings)
    split = SplitStore(settings.splits).load(run.record.split.hash, dataset.name)
    task = _task(run, settings)
    enter_look(
        settings.ledger,
        task,
        "export",
        reason=f"run {run.record.run}",
        submission=run.record.submission,
        config_hash=run.record.config_hash,
        predictions_sha256=run.record.predictions_sha256,
    )
    truth = load_truth(task)
    file = open_predictions(path, expected_rows(task, truth, "query", var_required=False))
    # a parity case compares means and spreads of the predicted cells as they are: no noise is drawn
    return TaskCells(dataset, truth, answers_to_queries(file, truth), split.role_codes() >= 0, noisy=False)


def context_cases(cells: TaskCells) -> Iterator[ContextCase]:
    """The reported conditions, context by context."""
    reported = [i for i in cells.truth.of_kind("reported").tolist() if len(cells.answers.rows[i])]
    contexts = dict.fromkeys(cells.truth.conditions[i].condition.context for i in reported)
    for context in contexts:
        mine = [i for i in reported if cells.truth.conditions[i].condition.context == context]
        conditions = [cells.truth.conditions[i].condition for i in mine]
        yield ContextCase(
            context,
            cells.dataset.meta.control_label,
            list(cells.dataset.genes),
            cells.controls(context).cells,
            [" · ".join((one.pert, *one.covariates)) for one in conditions],
            [cells.observed(i) for i in mine],
            [cells.predicted(i)[1] for i in mine],
        )


def _scperturbench(case: ContextCase) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    sizes = zip(case.labels, case.observed, case.predicted, strict=True)
    groups = [
        {
            "context": case.context, "perturbation": label, "n_control": len(case.controls),
            "n_true": len(observed), "n_pred": len(predicted),
        }
        for label, observed, predicted in sizes
    ]  # fmt: skip
    arrays = {"genes": np.array(case.genes), "X_control": case.controls}
    arrays["control_context"] = np.full(len(case.controls), case.context)
    for side, cells in (("true", case.observed), ("pred", case.predicted)):
        labels = _labels(case, cells)
        arrays[f"X_{side}"] = np.concatenate(cells)
        arrays[f"{side}_context"] = np.full(len(labels), case.context)
        arrays[f"{side}_perturbation"] = labels
    return {"groups": groups}, arrays


def _perturbench(case: ContextCase) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    arrays = {"genes": np.array(case.genes), "X_control": case.controls}
    arrays["covariate_keys"] = np.array([COVARIATE])
    arrays["control_label"] = np.array(case.control_label)
    arrays["control_covariates"] = np.full((len(case.controls), 1), case.context)
    for side, cells in (("true", case.observed), ("pred", case.predicted)):
        labels = _labels(case, cells)
        arrays[f"X_{side}"] = np.concatenate(cells)
        arrays[f"{side}_covariates"] = np.full((len(labels), 1), case.context)
        arrays[f"{side}_perturbation"] = labels
    n_cells = len(case.controls) + len(arrays["X_true"])
    parameters = {
        "perturbation_key": "perturbation",
        "control_label": case.control_label,
        "covariate_keys": [COVARIATE],
        "pca_n_comps": min(PCA_COMPONENTS, n_cells - 1, len(case.genes)),
    }
    return {"parameters": parameters}, arrays


def _celleval(case: ContextCase) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    arrays = {"genes": np.array(case.genes), "X_control": case.controls}
    for side, cells in (("true", case.observed), ("pred", case.predicted)):
        arrays[f"X_{side}"] = np.concatenate(cells)
        arrays[f"labels_{side}"] = _labels(case, cells)
    return {"parameters": {"control_pert": case.control_label, "pert_col": "target"}}, arrays


FORMATS = {"scperturbench": _scperturbench, "perturbench": _perturbench, "celleval": _celleval}


def _labels(case: ContextCase, cells: list[Cells]) -> NDArray[np.str_]:
    return np.repeat(case.labels, [len(some) for some in cells])


def _dataset(run: RunFolder, settings: Settings) -> PerturbDataset:
    dataset = open_dataset(settings.dataset_path(run.record.dataset.name))
    if dataset.data_hash != run.record.dataset.hash:
        raise ChangedError(
            "the dataset is not the one that this run was scored on",
            where=dataset.path,
            got=dataset.data_hash,
            expected=run.record.dataset.hash,
        )
    return dataset


def _task(run: RunFolder, settings: Settings) -> Task:
    identity = run.record.task.hash
    if identity is None:
        raise HarnessError("this run was declined before its task was built", where=run.path)
    folder = settings.task_cache / identity[:16]
    if not folder.exists():
        raise HarnessError(
            "the task of this run is no longer built",
            where=folder,
            mend=f"harness tasks build {run.record.task.name} --eval-split {run.record.task.eval_split}",
        )
    return open_task(folder)
