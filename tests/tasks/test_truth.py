"""Truth deltas are condition means minus controls that no submission sees."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.obs import Pool
from harness.errors import HarnessError
from harness.tasks.build import build_task
from harness.tasks.truth import load_truth


def kinds(truth):
    return {kind: len(truth.of_kind(kind)) for kind in ("reported", "calib", "iid", "canary")}


def test_each_hidden_condition_is_asked_once_with_its_kind_and_cells(six, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    assert kinds(truth) == {"reported": 10, "calib": 10, "iid": 0, "canary": 4}
    reported = np.concatenate([truth.conditions[i].rows for i in truth.of_kind("reported")])
    assert sorted(reported) == [r for r in split.rows("val") if not dataset.obs.is_control[r]]
    for asked in truth.conditions:
        assert set(dataset.obs.pert.names(asked.rows)) <= {asked.condition.pert}
        assert set(dataset.obs.context.names(asked.rows)) <= {asked.condition.context}


def test_the_reference_is_pool_b_and_shares_no_cell_with_what_is_given(six, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    for context in ("C3", "C4"):
        assert np.array_equal(truth.reference(context), dataset.pool_rows(context, Pool.B))
        assert len(truth.references(context)) == 1


def test_the_delta_has_the_batch_mix_of_the_conditions_cells(six, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    batch = dataset.obs.batch.codes
    for index in truth.of_kind("reported"):
        asked = truth.conditions[index]
        reference = truth.reference(asked.condition.context)
        basal = np.zeros(24)
        for b in batch[asked.rows]:
            basal += dataset.X[reference[batch[reference] == b]].mean(axis=0, dtype=np.float64) / len(
                asked.rows
            )
        expected = dataset.X[asked.rows].mean(axis=0, dtype=np.float64) - basal
        np.testing.assert_allclose(truth.delta(dataset, index), expected, atol=1e-12)


def test_a_batch_without_reference_cells_falls_back_to_the_context_mean(make, tmp_path):
    groups = [*make.crossed(["C0", "C1"], ["G00", "G01"], n=30)]
    dataset = make.dataset(tmp_path / "d", groups)
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    index = int(truth.of_kind("reported")[0])
    reference = truth.reference("C1")
    lone = dataset.obs.batch.codes.copy()
    lone[truth.conditions[index].rows[0]] = 1 - 2 * 10**6
    object.__setattr__(dataset.obs.batch, "codes", lone)
    expected = dataset.X[truth.conditions[index].rows].mean(0, dtype=np.float64) - dataset.X[reference].mean(
        0, dtype=np.float64
    )
    np.testing.assert_allclose(truth.delta(dataset, index), expected, atol=1e-12)


def test_few_controls_are_cross_fitted_over_pools_b_and_c(make, tmp_path):
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], ["G00", "G01", "G02"], controls=20))
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    b, c = truth.references("C1")
    assert np.array_equal(b, dataset.pool_rows("C1", Pool.B))
    assert np.array_equal(c, dataset.pool_rows("C1", Pool.C))
    assert truth.contexts["C1"].mode == "cross-fit"
    index = int(truth.of_kind("reported")[0])
    each = [truth.delta(dataset, index, reference=r) for r in (0, 1)]
    assert not np.allclose(each[0], each[1])
    np.testing.assert_allclose(truth.delta(dataset, index), np.mean(each, axis=0), atol=1e-12)


def test_contexts_with_shared_controls_work_and_are_named_on_the_card(make, tmp_path):
    groups = [*make.crossed(["C0"], ["G00", "G01"]), *make.crossed(["C1"], ["G00", "G01"], controls=4)]
    dataset = make.dataset(tmp_path / "d", groups)
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    assert task.card.shared_controls == ["C1"]
    assert task.card.rows_per_condition == 4
    assert load_truth(task).contexts["C1"].mode == "shared-controls"


def test_profiles_without_controls_are_asked_one_row_each_from_zeros(make, tmp_path):
    groups = [make.Group(c, f"G{i:02d}", 1) for c in ("C0", "C1") for i in range(12)]
    dataset = make.dataset(tmp_path / "d", groups, unit="profile", x_kind="delta")
    split = make.split(dataset, lambda c, p: "val" if p > "G05" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    assert (task.card.rows_per_condition, task.card.rows_limited_by) == (1, "profile")
    assert not np.load(task.public / "query" / "X.npy").any()
    truth = load_truth(task)
    assert (truth.query_row == -1).all()
    index = int(truth.of_kind("reported")[0])
    assert truth.reference(truth.conditions[index].condition.context).size == 0
    np.testing.assert_array_equal(truth.delta(dataset, index), dataset.X[truth.conditions[index].rows[0]])


def test_profiles_with_controls_start_from_a_control_profile(make, tmp_path):
    dataset = make.dataset(
        tmp_path / "d", make.crossed(["C0", "C1"], ["G00", "G01"], n=1, controls=3), unit="profile"
    )
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    truth = load_truth(task)
    assert task.card.rows_per_condition == 1
    assert dataset.obs.is_control[truth.query_row].all()


def test_paired_cells_are_asked_from_their_own_controls_and_without_canaries(make, tmp_path):
    groups = make.crossed(["C0", "C1"], ["G00", "G01", "G02"], n=6, controls=20, without=[("C1", "G02")])
    contexts = ["C0"] * 38 + ["C1"] * 32
    first_control = {"C0": 18, "C1": 38 + 12}
    pairs = np.array([first_control[c] + i % 20 for i, c in enumerate(contexts)])
    dataset = make.dataset(tmp_path / "d", groups, matching="paired", paired=pairs)
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    truth = load_truth(task)
    assert truth.paired
    assert kinds(truth)["canary"] == 0
    assert (task.card.rows_per_condition, task.card.rows_limited_by) == (6, "paired")
    for index, asked in enumerate(truth.conditions):
        own = dataset.control[asked.rows]
        assert set(truth.query_row[truth.query_condition == index]) <= set(own)
        expected = dataset.delta(asked.rows).mean(axis=0)
        np.testing.assert_allclose(truth.delta(dataset, index), expected, atol=1e-5)


def test_doses_are_conditions_of_their_own_and_are_told_in_the_query(make, tmp_path):
    groups = [make.Group(c, "control", 40) for c in ("C0", "C1")]
    groups += [
        make.Group(c, f"D{i}", 4, dose) for c in ("C0", "C1") for i in range(6) for dose in (0.5, 10.0)
    ]
    dataset = make.dataset(tmp_path / "d", groups)
    split = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    task = build_task(dataset, split, "val", cache=tmp_path)
    truth = load_truth(task)
    assert kinds(truth)["reported"] == 12
    lines = (task.public / "query" / "obs.tsv").read_text().splitlines()
    assert lines[0].split("\t")[-1] == "dose"
    assert {line.split("\t")[-1] for line in lines[1:]} == {"0.5", "10"}
    assert task.card.covariates == ["dose"]


def test_strata_of_the_split_are_kept_with_their_conditions(six, make, tmp_path):
    dataset, _ = six
    of_g00 = np.flatnonzero((dataset.obs.context.names() == "C3") & (dataset.obs.pert.names() == "G00"))
    marked = make.split(
        dataset, lambda c, p: {"C3": "val", "C5": "test"}.get(c, "train"), strata={"first": of_g00}
    )
    truth = load_truth(build_task(dataset, marked, "val", cache=tmp_path))
    assert {c.condition.pert for c in truth.conditions if c.stratum == "first"} == {"G00"}


def test_the_truth_refuses_another_dataset(six, make, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path))
    other = make.dataset(tmp_path / "other", make.crossed(["C3"], ["G00"]))
    with pytest.raises(HarnessError, match="belongs to another dataset"):
        truth.delta(other, 0)
