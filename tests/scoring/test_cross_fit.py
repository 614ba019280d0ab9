"""Contexts with few controls: the score is the mean of the scores against either reference."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from harness.contract.predictions import open_predictions
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.scoring.evaluate import evaluate, expected_rows
from harness.splits.create import create_split
from harness.tasks.build import build_task
from harness.tasks.truth import load_truth

PERTS = ("G0", "G1", "G2", "G3")


@pytest.fixture
def few_controls(tmp_path):
    labels = [
        (context, pert) for context in ("C0", "C1", "C2", "C3") for pert in ("control",) * 20 + PERTS * 12
    ]
    context, pert = (Labels.of(column) for column in zip(*labels, strict=True))
    rows = Rows(
        pert=pert,
        context=context,
        batch=Labels.of(["b"] * len(labels)),
        is_control=np.array([name == "control" for _, name in labels]),
        cell_ids=pa.array([f"cell{i}" for i in range(len(labels))]),
    )
    rows = rows.take(rows.order())
    genes = [f"G{i}" for i in range(8)]
    with build_dataset(
        tmp_path / "few",
        name="few",
        genes=genes,
        rows=rows,
        perturbations={name: [name] for name in PERTS},
        preprocessing=Preprocessing(found="log_normalised", steps=[], gene_space="all"),
    ) as arrays:
        arrays.X[...] = np.random.default_rng(0).gamma(2, size=arrays.X.shape)
    return open_dataset(tmp_path / "few")


def test_scores_are_averaged_over_the_references(few_controls, tmp_path):
    split = create_split(few_controls, "context_ood")
    task = build_task(few_controls, split, "val", cache=tmp_path / "tasks")
    truth = load_truth(task)
    mean = np.random.default_rng(1).normal(size=(task.card.n_query, 8)).astype(np.float32)
    np.savez(tmp_path / "p.npz", mean=mean, idx=np.arange(len(mean)))
    file = open_predictions(tmp_path / "p.npz", expected_rows(task, truth, "query", var_required=False))
    scored = evaluate(few_controls, split, task, file, var_kind="effect").scored
    (context,) = [context for context in scored.contexts if context.kind == "reported"]
    for one in context.conditions:
        asked = truth.conditions[one.index].condition
        genes = [g for g, name in enumerate(few_controls.genes) if name != asked.pert]
        predicted = mean[truth.query_condition == one.index].mean(axis=0, dtype=np.float64)
        deltas = [truth.delta(few_controls, one.index, reference=r) for r in (0, 1)]
        errors = [np.mean((predicted - delta)[genes] ** 2) for delta in deltas]
        assert errors[0] != errors[1]
        assert one.values["calibrated"]["mse"] == pytest.approx(np.mean(errors), rel=1e-12)
