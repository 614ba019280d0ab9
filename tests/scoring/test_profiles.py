"""Data without cells: every metric still has a value or says why it cannot apply."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.metrics.card import cards
from harness.scoring.condition_stage import NOT_CELLS
from harness.scoring.evaluate import evaluate
from harness.splits.create import create_split
from harness.tasks.build import build_task

PERTS = tuple(f"G{i}" for i in range(6))


@pytest.fixture(params=["delta", "log2_expression"])
def document(request, tmp_path):
    """A score on profiles: deltas without any control, or expression with a few controls."""
    controls = 0 if request.param == "delta" else 3
    labels = [
        (context, pert)
        for context in ("C0", "C1", "C2", "C3")
        for pert in ("control",) * controls + tuple(pert for pert in PERTS for _ in range(2))
    ]
    context, pert = (Labels.of(column) for column in zip(*labels, strict=True))
    rows = Rows(
        pert=pert,
        context=context,
        batch=Labels.of(["b"] * len(labels)),
        is_control=np.array([name == "control" for _, name in labels]),
        cell_ids=pa.array([f"row{i}" for i in range(len(labels))]),
    )
    rows = rows.take(rows.order())
    with build_dataset(
        tmp_path / "profiles",
        name="profiles",
        genes=[f"G{i}" for i in range(10)],
        rows=rows,
        perturbations={name: [name] for name in PERTS},
        preprocessing=Preprocessing(found="log_normalised", steps=[], gene_space="all"),
        unit="profile",
        x_kind=request.param,
        echo_check=False,
    ) as arrays:
        arrays.X[...] = np.random.default_rng(0).normal(size=arrays.X.shape)
    dataset = open_dataset(tmp_path / "profiles")
    split = create_split(dataset, "context_ood")
    task = build_task(dataset, split, "val", cache=tmp_path / "tasks")
    mean = np.random.default_rng(1).normal(size=(task.card.n_query, 10)).astype(np.float32)
    np.savez(tmp_path / "p.npz", mean=mean, idx=np.arange(len(mean)))
    file = open_predictions(tmp_path / "p.npz", Expected.of(task.card, var_required=False))
    return evaluate(dataset, split, task, file, var_kind="effect", workers=1).document


def test_profiles_score_completely(document):
    assert document["task"]["unit"] == "profile"
    assert document["missing"] == []
    assert document["calibrated"]["global"]["mse"]["value"] > 0
    assert document["uncertainty"]["global"]["crps"]["value"] > 0


def test_what_needs_cells_is_not_applicable_and_says_so(document):
    for name, card in cards().items():
        panel, _, metric = name.partition(".")
        if "cells" in card.needs and panel != "uncertainty":
            summary = document[panel]["global"][metric]
            assert summary["value"] is None
            assert summary["reason"] == NOT_CELLS
