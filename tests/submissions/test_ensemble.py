"""An ensemble says how much of its variance is disagreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from perturbfm.ensemble import Ensemble, member_seed, pool
from perturbfm.learned import Learned, LearnedSubmission, Problem, learn
from perturbfm.losses import Outputs
from perturbfm.shrinkage import AS_SAID
from perturbfm.v0 import V0

from harness.sdk import Task, load_task

SINGLES = ("G1", "G2", "G3", "G5")
SHORT = {"steps": 20, "evaluate_every": 5, "batch": 16, "width": 16, "hidden": 16}


@pytest.fixture
def task(handmade_task) -> Task:
    known = [(c, p) for c in ("c0", "c1", "c3") for p in SINGLES]
    task = load_task(handmade_task(known, [("c2", p) for p in SINGLES]))
    task.params = dict(SHORT)
    return task


def member(task: Task, seed: int) -> Learned:
    return learn(Problem.read(task), V0, seed)


def said(*means: float) -> list[Outputs]:
    return [Outputs(torch.full((2, 3), mean), torch.zeros(2, 3)) for mean in means]


def test_the_parts_of_a_pool_are_the_mean_variance_and_the_variance_of_means():
    together = pool(said(1.0, 2.0, 3.0))
    assert [float(part[0, 0]) for part in together] == [2, 1, 1]
    outputs = together.outputs(torch.full((2, 3), 2.0), gamma=0.5)
    assert np.allclose(outputs.log_var.exp(), 1 + 0.25 / 2)


def test_disagreeing_members_are_unsure_and_agreeing_ones_are_not(task):
    asked = task.conditions().table
    one, other = member(task, 0), member(task, 1)
    alike = Ensemble([one, one], 1.0, AS_SAID).predict(asked)
    differing = Ensemble([one, other], 1.0, AS_SAID).predict(asked)
    assert not alike.epistemic.any()
    assert (differing.epistemic > 0).mean() > 0.9
    assert (differing.epistemic <= differing.var).all()
    aleatoric = np.mean([replace(m, width=AS_SAID).predict(asked).var for m in (one, other)], axis=0)
    assert np.allclose(differing.var, aleatoric + differing.epistemic, rtol=1e-5)


def test_an_ensemble_of_equal_members_is_that_member(task):
    one = member(task, 0)
    together = Ensemble.of([one, one])
    asked = task.conditions().table
    assert together.gamma == pytest.approx(one.gamma)
    assert together.width == one.width
    assert np.allclose(together.predict(asked).mean, one.predict(asked).mean, atol=1e-6)


def test_the_first_member_is_the_single_model():
    assert member_seed(7, 0) == 7
    assert len({member_seed(7, number) for number in range(5)}) == 5


def test_a_submission_with_members_writes_the_epistemic_part_and_a_single_one_does_not(
    task, tmp_path, monkeypatch
):
    monkeypatch.setenv("HARNESS_OUTPUT", str(tmp_path))
    submission = LearnedSubmission(V0)
    assert submission.predict(task).epistemic is None
    task.params["members"] = 2
    predictions = submission.predict(task)
    assert (predictions.epistemic <= predictions.var).all()
    assert predictions.epistemic.any()
    assert (tmp_path / "model-1" / "weights.safetensors").is_file()
    monkeypatch.delenv("HARNESS_OUTPUT")
    again = submission.predict(task)
    assert (again.mean == predictions.mean).all()
    assert (again.epistemic == predictions.epistemic).all()


def test_without_anything_to_hold_out_an_ensemble_is_its_baseline(handmade_task):
    task = load_task(handmade_task([("c0", "G1")], [("c0", "G3")]))
    task.params = {**SHORT, "members": 2}
    predictions = LearnedSubmission(V0).predict(task)
    assert not predictions.epistemic.any()
