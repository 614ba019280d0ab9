"""A learned submission from task folder to predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from perturbfm import models

from harness.sdk import load_task

from .conftest import ASKED, KNOWN, LADDER, add_graphs, with_params
from .test_network import VARIANTS


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_every_variant_learns_and_predicts(small_task, tmp_path, monkeypatch, name, variant):
    monkeypatch.setenv("HARNESS_OUTPUT", str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    task = small_task(name, variant, steps=4, evaluate_every=2)
    predictions = getattr(models, name).predict(task)
    predictions.save(tmp_path / "out", task)
    assert (predictions.var > 0).all()
    diagnostics = json.loads((tmp_path / "out" / "diagnostics.json").read_text())
    assert diagnostics["curves"]["search"]["values"]["validation"]
    assert 0 <= diagnostics["shrinkage"] <= 1
    assert diagnostics["configuration"]["recipe"]["steps"] == 4
    assert (tmp_path / "out" / "model" / "weights.safetensors").is_file()
    assert "search" in (tmp_path / "out" / "progress.jsonl").read_text()


@pytest.mark.parametrize("name", LADDER)
def test_the_same_seed_gives_the_same_bits_and_another_does_not(small_task, name):
    def run(seed: int) -> np.ndarray:
        task = small_task(name, learning_rate=0.02)
        task.seed = seed
        predictions = getattr(models, name).predict(task)
        return np.concatenate([predictions.mean, predictions.var])

    np.testing.assert_array_equal(run(5), run(5))
    assert (run(5) != run(6)).any()


@pytest.mark.parametrize("name", LADDER)
def test_names_of_perturbations_do_not_matter(handmade_task, name):
    found = {}
    for renamed in (False, True):
        folder = add_graphs(handmade_task(KNOWN, ASKED, folder=f"task-{renamed}"))
        for table in ("train", "query"):
            path = folder / table / "obs.tsv"
            rows = [line.split("\t") for line in path.read_text().splitlines()]
            place = rows[0].index("pert_id")
            for row in rows[1:]:
                if renamed and row[place] != "control":
                    row[place] = f"P{sum(map(ord, row[place])) % 89:02d}-{row[place][::-1]}"
            path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
        task = with_params(load_task(folder), name, learning_rate=0.02)
        found[renamed] = getattr(models, name).predict(task)
    np.testing.assert_allclose(found[True].mean, found[False].mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[True].var, found[False].var, rtol=1e-5)


ODD_TASKS = {
    "one condition": ([("c0", "G1")], [("c1", "G1"), ("c0", "G2")]),
    "one context": ([("c0", "G1"), ("c0", "G2"), ("c0", "G4")], [("c0", "G3")]),
    "drugs": ([(c, p) for c in ("c0", "c1", "c3") for p in ("drug", "G1")], [("c2", "drug")]),
    "doses": ([(c, "drug", d) for c in ("c0", "c1") for d in (1, 2)], [("c2", "drug", 2), ("c2", "drug", 4)]),
    "combinations alone": ([("c0", "G1+G2"), ("c0", "G3+G4")], [("c0", "G1+G4"), ("c1", "G5+G6")]),
}


@pytest.mark.parametrize("name", ["v0", "v1", "v3"])
@pytest.mark.parametrize("case", ODD_TASKS)
def test_odd_tasks_are_answered(handmade_task, tmp_path, name, case):
    known, asked = ODD_TASKS[case]
    task = with_params(load_task(handmade_task(known, asked)), name, steps=4, evaluate_every=2)
    predictions = getattr(models, name).predict(task)
    predictions.save(tmp_path / "out", task)
    assert (predictions.var > 0).all()


@pytest.mark.parametrize("name", ["v0", "v3"])
def test_it_learns_from_the_train_mean_what_perturbations_do(handmade_task, name, handmade_effect):
    known = [(c, p) for c in ("c0", "c1", "c3", "c4") for p in ("G1", "G3", "G5", "G7")]
    task = load_task(handmade_task(known, [("c5", "G1")]))
    with_params(
        task, name, steps=200, batch=32, evaluate_every=20, patience=99, width=16, hidden=32,
        rank=8, learning_rate=0.01, start=["train_mean"],
    )  # fmt: skip
    truth = handmade_effect("c5", "G1")
    start = np.mean([handmade_effect("c5", p) for p in ("G1", "G3", "G5", "G7")], axis=0)
    error = ((getattr(models, name).predict(task).mean[0] - truth) ** 2).sum()
    assert error < 0.5 * ((start - truth) ** 2).sum()
