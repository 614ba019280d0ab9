"""A generative head that turns control cells into perturbed ones about a mean that it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.flow import FlowRecipe, Head, train_head

from harness.contract.manifest import load_manifest
from harness.sdk import Task, load_task

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
SHORT = {"steps": 10, "evaluate_every": 5, "batch": 16, "width": 16, "heads": 2, "flow_training_steps": 10}


@pytest.fixture
def make_task(handmade_task):
    def make(name: str, rows: int = 8, **params) -> Task:
        known = [(c, p) for c in ("c0", "c1", "c3") for p in ("G1", "G2", "G3")]
        asked = [("c2", "G1"), ("c2", "G2"), ("c2", "G7")]
        folder = f"{name} {rows} {len(params)}"
        task = load_task(handmade_task(known, asked, rows=rows, rows_asked=4, folder=folder))
        scattered = task.query.X + np.random.default_rng(0).normal(0, 0.1, task.query.X.shape)
        task.query = replace(task.query, X=scattered.astype(np.float32))
        task.params = {**load_manifest(SUBMISSIONS / name).resolve(None, {}), **SHORT, **params}
        return task

    return make


@pytest.mark.parametrize("mode", ["flow", "ddpm"])
def test_rows_scatter_and_their_mean_is_that_of_v3a(make_task, mode):
    plain = models.v3a.predict(make_task("v3a"))
    task = make_task("diffusion", flow_mode=mode)
    scattered = models.diffusion.predict(task)
    assert (scattered.var == plain.var).all()
    conditions = task.conditions()
    for i in range(len(conditions)):
        rows = conditions.rows(i)
        assert np.allclose(scattered.mean[rows].mean(axis=0), plain.mean[rows[0]], atol=1e-4)
        assert scattered.mean[rows].std(axis=0).max() > 0


def test_without_replicates_it_is_v3a(make_task):
    plain, scattered = (
        models.v3a.predict(make_task("v3a", rows=1)),
        models.diffusion.predict(make_task("diffusion", rows=1)),
    )
    assert (scattered.mean == plain.mean).all()


@pytest.mark.parametrize("mode", ["flow", "ddpm"])
def test_a_trained_head_gives_samples_the_spread_of_its_target(mode):
    torch.manual_seed(0)
    target = torch.stack([1.5 * torch.randn(600), 0.5 * torch.randn(600)], dim=1)
    source = torch.randn(1, 600, 2)
    recipe = FlowRecipe(mode, hidden=32, training_steps=300, learning_rate=5e-3)
    head = Head(2, 4, recipe)
    nowhere = torch.zeros(600, dtype=torch.int64)
    train_head(head, source, target, (nowhere, nowhere), torch.zeros(1, 4), seed=0)
    samples = head.eval().sample(torch.randn(600, 2), torch.zeros(600, 4))
    assert samples.std(dim=0).numpy() == pytest.approx([1.5, 0.5], rel=0.3)


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(ValueError, match="flow, ddpm"):
        FlowRecipe.of({"flow_mode": "magic"})
