"""What each baseline predicts, on tasks small enough to know the answer."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from harness.contract.manifest import load_manifest
from harness.sdk import Task, load_task

BASELINES = Path(__file__).parents[2] / "submissions" / "baselines"
NAMES = sorted(folder.parent.name for folder in BASELINES.glob("*/submission.toml"))
CONTEXTS = ("c0", "c1", "c2")
SINGLES = ("G1", "G2", "G3", "G5")
CONTEXT_OOD = ([(c, p) for c in ("c0", "c1", "c3") for p in SINGLES], [("c2", p) for p in SINGLES])
COMBOS = (
    [("c0", p) for p in (*SINGLES, "G1+G2", "G2+G3")],
    [("c0", "G1+G3"), ("c0", "G3+G5"), ("c0", "G5+G7"), ("c0", "G8")],
)


@pytest.fixture
def predict():
    """Load a baseline by name and predict a task, with the manifest's parameters."""

    def run(name: str, task: Task, **params):
        folder = BASELINES / name
        spec = importlib.util.spec_from_file_location(f"baseline_{name}", folder / "main.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        task.params = load_manifest(folder).resolve(None, params)
        return module.submission.predict(task)

    return run


@pytest.fixture
def context_ood(handmade_task) -> Task:
    return load_task(handmade_task(*CONTEXT_OOD))


@pytest.fixture
def combos(handmade_task) -> Task:
    return load_task(handmade_task(*COMBOS))


def answers(task: Task, predictions) -> dict[tuple[str, str], tuple[np.ndarray, int]]:
    """Prediction and support by (context, perturbation); all rows of a condition are checked to agree."""
    found = {}
    conditions = task.conditions()
    for i, condition in enumerate(conditions.table):
        rows = conditions.rows(i)
        assert (predictions.mean[rows] == predictions.mean[rows[0]]).all()
        found[condition.context, condition.pert] = (
            predictions.mean[rows[0]],
            int(predictions.supported[rows[0]]),
        )
    return found


ODD_TASKS = {
    "one context": ([("c0", "G1"), ("c0", "G2")], [("c0", "G3")]),
    "one condition": ([("c0", "G1")], [("c1", "G1"), ("c0", "G2")]),
    "a drug without genes": (
        [("c0", "drug"), ("c1", "drug"), ("c0", "G1")],
        [("c2", "drug"), ("c1", "other drug")],
    ),
    "doses": ([(c, "drug", d) for c in ("c0", "c1") for d in (1, 2)], [("c2", "drug", 2), ("c2", "drug", 4)]),
    "combinations alone": ([("c0", "G1+G2"), ("c0", "G3+G4")], [("c0", "G1+G4"), ("c1", "G5+G6")]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 6], ids=["profiles", "cells"])
@pytest.mark.parametrize("case", ODD_TASKS)
def test_every_baseline_predicts_every_odd_task(handmade_task, predict, tmp_path, name, rows, case):
    known, asked = ODD_TASKS[case]
    task = load_task(handmade_task(known, asked, rows=rows))
    predictions = predict(name, task)
    predictions.save(tmp_path / "out", task)
    assert (predictions.var > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_is_deterministic_and_does_not_look_at_the_order_of_the_query(
    handmade_task, predict, name
):
    known, asked = COMBOS
    first = load_task(handmade_task(known, asked))
    other = load_task(handmade_task(known, asked[::-1], folder="other"))
    one, two = answers(first, predict(name, first)), answers(other, predict(name, other))
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key][0], two[key][0])
    np.testing.assert_array_equal(predict(name, first).var, predict(name, first).var)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("ridge", "bilinear", "nearest_train")]
)
def test_an_unseen_perturbation_gets_the_train_mean_and_says_so(handmade_task, predict, name):
    task = load_task(handmade_task(CONTEXT_OOD[0], [("c0", "G9"), ("c0", "a drug never seen")]))
    for pert in ("G9", "a drug never seen"):
        mean, support = answers(task, predict(name, task))["c0", pert]
        if name in ("control_only", "global_mean", "context_mean", "noise_matched"):
            assert support == 2
            continue
        assert support == 0
        everything = answers(task, predict("global_mean", task))["c0", pert][0]
        np.testing.assert_allclose(mean, everything, atol=0.05 if name == "latent_shift" else 1e-6)


@pytest.mark.parametrize("name", ["ridge", "bilinear", "nearest_train"])
def test_what_has_neither_a_seen_id_nor_a_gene_is_no_training_perturbation_in_disguise(
    handmade_task, predict, name
):
    task = load_task(handmade_task(COMBOS[0], [("c0", "a drug never seen"), ("c0", "G1")]))
    found = answers(task, predict(name, task))
    everything = answers(task, predict("global_mean", task))["c0", "G1"][0]
    mean, support = found["c0", "a drug never seen"]
    assert support == 0
    np.testing.assert_allclose(mean, everything, atol=1e-6)


def test_control_only_predicts_nothing(context_ood, predict):
    assert not predict("control_only", context_ood).mean.any()


def test_the_mean_delta_of_a_seen_perturbation_is_near_its_true_effect(context_ood, predict, handmade_effect):
    mean, support = answers(context_ood, predict("per_perturbation_mean", context_ood))["c2", "G1"]
    assert support == 2
    np.testing.assert_allclose(mean, handmade_effect("c0", "G1"), atol=0.15)


def test_the_context_mean_is_that_of_its_own_conditions(handmade_task, predict, handmade_effect):
    task = load_task(handmade_task([("c0", "G1"), ("c2", "G1"), ("c2", "G3")], [("c2", "G5"), ("c7", "G1")]))
    found = answers(task, predict("context_mean", task))
    expected = (handmade_effect("c2", "G1") + handmade_effect("c2", "G3")) / 2
    np.testing.assert_allclose(found["c2", "G5"][0], expected, atol=0.15)
    assert found["c7", "G1"][1] == 0


def test_the_own_context_goes_before_the_others(handmade_task, predict, handmade_effect):
    task = load_task(handmade_task([("c0", "G1"), ("c2", "G1")], [("c2", "G1"), ("c7", "G1")]))
    found = answers(task, predict("per_perturbation_context_mean", task))
    np.testing.assert_allclose(found["c2", "G1"][0], handmade_effect("c2", "G1"), atol=0.15)
    assert (found["c2", "G1"][1], found["c7", "G1"][1]) == (2, 1)


def test_the_nearest_context_weighs_most(handmade_task, predict):
    task = load_task(handmade_task([("c0", "G1"), ("c2", "G1")], [("c2", "G1")]))
    near = answers(task, predict("nearest_context_mean", task, bandwidth=0.01))["c2", "G1"][0]
    even = answers(task, predict("per_perturbation_mean", task))["c2", "G1"][0]
    assert near[1] > even[1] + 0.1


def test_additive_is_the_sum_of_the_parts(combos, predict, handmade_effect):
    found = answers(combos, predict("additive", combos))
    mean, support = found["c0", "G1+G3"]
    assert support == 1
    np.testing.assert_allclose(mean, handmade_effect("c0", "G1+G3"), atol=0.25)
    assert found["c0", "G5+G7"][1] == 0


def test_scaled_additive_finds_the_factor_of_training_combinations(handmade_task, predict, handmade_effect):
    folder = handmade_task(*COMBOS)
    X = np.load(folder / "train" / "X.npy")
    task = load_task(folder)
    for row in np.flatnonzero(task.train.obs["pert_id"] != "control"):
        pert = task.train.obs["pert_id"][row]
        if "+" in pert:  # combinations reach half of the sum
            X[row] -= 0.5 * handmade_effect("c0", pert)
    np.save(folder / "train" / "X.npy", X)
    task = load_task(folder)
    whole = answers(task, predict("additive", task))["c0", "G1+G3"][0]
    scaled = answers(task, predict("scaled_additive", task))["c0", "G1+G3"][0]
    np.testing.assert_allclose(scaled, 0.5 * whole, atol=0.08)


def test_scaled_additive_without_training_combinations_is_additive(handmade_task, predict):
    task = load_task(handmade_task([("c0", p) for p in SINGLES], [("c0", "G1+G3")]))
    np.testing.assert_array_equal(predict("scaled_additive", task).mean, predict("additive", task).mean)


def test_matching_mean_is_the_mean_of_the_parts_that_were_seen(combos, predict, handmade_effect):
    found = answers(combos, predict("matching_mean", combos))
    np.testing.assert_allclose(found["c0", "G1+G3"][0], handmade_effect("c0", "G1+G3") / 2, atol=0.15)
    np.testing.assert_allclose(found["c0", "G5+G7"][0], handmade_effect("c0", "G5"), atol=0.15)


def test_ridge_learns_how_the_context_changes_the_effect(handmade_task, predict, handmade_effect):
    singles = ("G1", "G2", "G3", "G5", "G6", "G8")
    known = [(c, f"{a}+{b}") for c in ("c0", "c2") for a in singles for b in singles if a < b]
    known.remove(("c2", "G1+G5"))
    task = load_task(handmade_task(known, [("c2", "G1+G5")]))
    truth = handmade_effect("c2", "G1+G5")
    error = {
        name: float(((answers(task, predict(name, task))["c2", "G1+G5"][0] - truth) ** 2).sum())
        for name in ("ridge", "per_perturbation_mean", "global_mean")
    }
    assert error["ridge"] < 0.5 * error["per_perturbation_mean"] < error["global_mean"]


def test_ridge_adds_up_the_parts_of_a_combination(combos, predict, handmade_effect):
    truth = handmade_effect("c0", "G1+G3")
    ridge, support = answers(combos, predict("ridge", combos))["c0", "G1+G3"]
    mean = answers(combos, predict("global_mean", combos))["c0", "G1+G3"][0]
    assert ((ridge - truth) ** 2).sum() < 0.3 * ((mean - truth) ** 2).sum()
    assert support == 1


def test_the_variance_is_that_of_the_effect_and_not_of_the_noise(handmade_task, predict):
    """Every context answers alike, so all that is left out can be predicted but for sampling noise."""
    known = [(c, p) for c in ("c0", "c1", "c3", "c4") for p in SINGLES]
    task = load_task(handmade_task(known, [("c5", p) for p in SINGLES], rows=4))
    right = predict("per_perturbation_mean", task).var.mean()
    wrong = predict("control_only", task).var.mean()
    assert right < 0.1**2 / 4
    assert wrong == pytest.approx((1.0 + 0.25) / 12, rel=0.2)


def test_paired_rows_keep_their_own_controls(handmade_task, predict, handmade_effect):
    task = load_task(handmade_task(*CONTEXT_OOD, paired=True))
    X, control = np.asarray(task.train.X), task.train.obs["control_row"]
    rows = np.flatnonzero(task.train.obs["pert_id"] == "G1")
    expected = np.mean(
        [
            (X[r] - X[control[r]])
            for c in ("c0", "c1", "c3")
            for r in rows
            if task.train.obs["context_id"][r] == c
        ],
        axis=0,
    )
    mean = answers(task, predict("per_perturbation_mean", task))["c2", "G1"][0]
    np.testing.assert_allclose(mean, expected, atol=1e-5)
