"""The scorer as one call: accepted predictions and a built task in, `metrics.json` and its long table out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from harness.contract.predictions import Expected, PredictionsFile
from harness.datasets.dataset import PerturbDataset
from harness.scoring.answers import answers_to_dataset_rows, answers_to_queries
from harness.scoring.document import RowsKind, ScoredTask, metrics_document
from harness.scoring.filled_variance import filled_variance, train_effects
from harness.scoring.long_table import long_table
from harness.scoring.score import ScoredCondition, Variance, VarKind, score_conditions
from harness.splits.split import Split
from harness.tasks.folder import Task
from harness.tasks.truth import Truth, load_truth


@dataclass(frozen=True)
class Evaluation:
    """Scored predictions."""

    document: dict[str, Any]
    """The content of `metrics.json`."""
    scored: list[ScoredCondition]
    truth: Truth
    variance: Variance

    def table(self, run: str) -> pa.Table:
        """The long table, under the name of its run."""
        return long_table(run, self.document, self.scored, self.truth)


def expected_rows(task: Task, truth: Truth, rows: RowsKind, *, var_required: bool) -> Expected:
    """What a predictions file must answer: the query rows, or the hidden dataset rows of the reported conditions."""
    if rows == "query":
        return Expected.of(task.card, var_required=var_required)
    asked = [condition.rows for condition in truth.conditions if condition.kind == "reported"]
    hidden = np.sort(np.concatenate(asked))
    return Expected(len(hidden), len(task.card.genes), task.card.genes, var_required, hidden)


def evaluate(
    dataset: PerturbDataset,
    split: Split,
    task: Task,
    file: PredictionsFile,
    *,
    var_kind: VarKind,
    rows: RowsKind = "query",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score accepted predictions. Where they have no variance, one is filled from training residuals and named so."""
    truth = load_truth(task)
    by_query = rows == "query"
    answers = answers_to_queries(file, truth) if by_query else answers_to_dataset_rows(file, truth, dataset)
    variance = resolve_variance(dataset, split, file, var_kind)
    scored = score_conditions(dataset, truth, answers, variance, progress)
    named = ScoredTask(task.card.name, task.card.dataset, task.card.split, task.card.eval_split)
    document = metrics_document(named, truth, answers, variance, scored, rows=rows)
    return Evaluation(document, scored, truth, variance)


def resolve_variance(
    dataset: PerturbDataset, split: Split, file: PredictionsFile, var_kind: VarKind
) -> Variance:
    """The submission's own variance, else the filled one."""
    if file.var is not None:
        return Variance("native", var_kind)
    filled = filled_variance(train_effects(dataset, split))
    if filled is None:
        reason = "no variance was given, and fewer than two training conditions leave nothing to fill it from"
        return Variance("none", "observed", reason=reason)
    return Variance("filled", "observed", filled)


def predictions_in(folder: Path) -> Path | None:
    """The predictions that an output folder holds, as a file or as a folder of arrays; links do not count."""
    for name in ("predictions.npz", "predictions"):
        path = folder / name
        if path.is_symlink():
            continue
        if path.is_dir() if name == "predictions" else path.is_file():
            return path
    return None
