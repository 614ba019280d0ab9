"""The SDK reads a task folder and refuses to save what the harness would refuse."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.sdk import Graph, Predictions, SdkError, Task, load_task

KNOWN = [(c, p) for c in ("c0", "c1", "c2", "c3") for p in ("G1", "G2", "G3", "G1+G2", "G2+G3", "drug")]
ASKED = [("c0", "G4"), ("c1", "G1+G3"), ("c3", "drug")]


@pytest.fixture
def task(handmade_task) -> Task:
    return load_task(handmade_task(KNOWN, ASKED))


def test_x_is_memory_mapped_and_obs_are_typed_columns(task):
    assert isinstance(task.train.X, np.memmap)
    assert task.train.obs["is_control"].dtype == bool
    assert task.train.obs["control_row"].dtype == np.int64
    assert set(task.train.obs["context_id"]) == {"c0", "c1", "c2", "c3"}
    assert len(task.query) == 9


def test_train_delta_subtracts_the_matched_control_of_each_row(task):
    rows = task.perturbed_rows[[5, 0, 17]]
    X = np.asarray(task.train.X)
    expected = X[rows] - X[task.train.obs["control_row"][rows]]
    np.testing.assert_array_equal(task.train_delta(rows), expected)
    assert task.train_delta().shape == (len(KNOWN) * 8, 12)


def test_rows_without_a_control_are_deltas_already(task):
    task.train.obs["control_row"][:] = -1
    rows = task.perturbed_rows[:4]
    np.testing.assert_array_equal(task.train_delta(rows), task.train.X[rows])


def test_query_conditions_hold_all_rows_once(task):
    conditions = task.conditions()
    assert [(c.context, c.pert) for c in conditions.table] == sorted(ASKED)
    assert conditions.table[1].genes == ("G1", "G3")
    rows = np.concatenate([conditions.rows(i) for i in range(len(conditions))])
    assert sorted(rows) == list(range(9))


def test_training_conditions_leave_controls_out(task):
    conditions = task.conditions("train")
    assert len(conditions) == len(KNOWN)
    assert (conditions.of_row[task.train.obs["is_control"]] == -1).all()


def test_a_mask_leaves_out_genes_that_the_task_does_not_hold(task):
    mask = task.mask([("G1", "G3"), (), ("elsewhere",)])
    assert mask.sum(axis=1).tolist() == [2, 0, 0]
    assert mask[0, 1] == mask[0, 3] == 1


@pytest.mark.parametrize("axis", ["context", "perturbation", "combination", "condition"])
def test_inner_split_holds_out_whole_units_of_its_axis(task, axis):
    fit, val = task.inner_split(axis)
    assert sorted([*fit, *val]) == task.perturbed_rows.tolist()
    assert len(fit)
    assert len(val)
    obs = task.train.obs
    column = {
        "context": obs["context_id"],
        "perturbation": obs["pert_id"],
        "combination": obs["pert_id"],
    }.get(axis, task.conditions("train").of_row)
    assert not set(column[fit]) & set(column[val])
    if axis == "combination":
        assert all("+" in pert for pert in obs["pert_id"][val])


def test_a_combination_goes_with_its_held_out_gene(task):
    for seed in range(12):
        task.seed = seed
        fit, val = task.inner_split("perturbation")
        held = {p for p in task.train.obs["pert_id"][val] if p in ("G1", "G2", "G3")}
        assert not any(set(pert.split("+")) & held for pert in task.train.obs["pert_id"][fit])


def test_inner_split_is_seeded(task):
    first = task.inner_split("condition")[1]
    np.testing.assert_array_equal(first, task.inner_split("condition")[1])
    task.seed = 1
    assert task.inner_split("condition")[1].tolist() != first.tolist()


def test_inner_split_names_another_axis_where_there_is_one_context(handmade_task):
    task = load_task(handmade_task([("c0", "G1"), ("c0", "G2")], [("c0", "G3")]))
    with pytest.raises(SdkError, match="condition"):
        task.inner_split("context")


def test_saved_predictions_pass_the_contract_and_are_stored_uncompressed(task, tmp_path):
    mean = np.random.default_rng(0).normal(size=(9, 12))
    saved = Predictions(mean, var=mean**2, supported=np.full(9, 2)).save(tmp_path / "out", task)
    opened = open_predictions(saved, Expected(9, 12, task.genes, var_required=True))
    np.testing.assert_array_equal(opened.mean, mean.astype(np.float32))
    assert opened.notes == ()
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["predictions.npz"]


def test_predictions_per_condition_are_repeated_over_their_rows(task):
    conditions = task.conditions()
    mean = np.arange(36.0).reshape(3, 12)
    rows = Predictions.from_conditions(task, mean, supported=np.array([2, 1, 0]))
    for i in range(3):
        assert (rows.mean[conditions.rows(i)] == mean[i]).all()
    assert rows.var is None
    with pytest.raises(SdkError, match="3 query conditions"):
        Predictions.from_conditions(task, mean[:2])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mean": np.zeros((8, 12))}, r"mean is float64 \(8, 12\)"),
        ({"mean": np.zeros((9, 11))}, r"expected numbers \(9, 12\)"),
        (
            {"mean": np.full((9, 12), np.nan)},
            "mean has 108 values that are NaN or infinite, first at row 0, gene 0",
        ),
        ({"mean": np.full((9, 12), 1e60)}, "NaN or infinite"),
        ({"var": np.full((9, 12), -1.0)}, "var has 108 negative values"),
        ({"epistemic": np.full((9, 12), 2.0)}, "epistemic is a part of var, but exceeds it"),
        ({"idx": np.zeros(9, int)}, "each of the 9 query rows exactly once"),
        ({"supported": np.full(9, 3)}, "supported must hold 0, 1 or 2"),
        ({"mean": np.array([["x"] * 12] * 9)}, "expected numbers"),
    ],
)
def test_what_would_be_refused_is_not_saved(task, tmp_path, change, fault):
    given = {"mean": np.zeros((9, 12)), "var": np.ones((9, 12)), **change}
    with np.errstate(over="ignore"), pytest.raises(SdkError, match=fault):
        Predictions(**given).save(tmp_path / "out", task)
    assert not (tmp_path / "out" / "predictions.npz").exists()


def test_progress_lines_are_json_without_nan(task, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_OUTPUT", str(tmp_path))
    task.progress(1, 2, "fit", loss=0.5, gap=float("nan"))
    task.progress(2, 2)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert lines[0] == {"step": 1, "of": 2, "message": "fit", "metrics": {"loss": 0.5, "gap": None}}
    assert lines[1]["step"] == 2


def test_seed_and_params_come_from_the_environment(handmade_task, monkeypatch):
    monkeypatch.setenv("HARNESS_SEED", "7")
    monkeypatch.setenv("HARNESS_PARAMS", '{"alpha": [0.5]}')
    task = load_task(handmade_task(KNOWN, ASKED))
    assert task.seed == 7
    assert task.params == {"alpha": [0.5]}


def test_a_folder_without_a_task_is_named(tmp_path):
    with pytest.raises(SdkError, match=r"task\.json"):
        load_task(tmp_path)


def test_a_sparse_and_a_dense_graph_read_alike(tmp_path):
    dense = np.array([[0, 0.5, 0.5], [0, 0, 0], [1, 0, 0]], np.float32)
    np.savez(tmp_path / "dense.npz", adjacency=dense, genes=np.array(["a", "b", "c"]))
    np.savez(
        tmp_path / "sparse.npz",
        indptr=np.array([0, 2, 2, 3]),
        indices=np.array([1, 2, 0]),
        data=np.array([0.5, 0.5, 1.0], np.float32),
        genes=np.array(["a", "b", "c"]),
    )
    for name in ("dense", "sparse"):
        graph = Graph(tmp_path / f"{name}.npz")
        assert graph.genes == ["a", "b", "c"]
        np.testing.assert_array_equal(graph.dense(), dense)
        assert graph.indptr.tolist() == [0, 2, 2, 3]


def test_a_table_becomes_an_anndata(task):
    table = task.query.to_anndata()
    assert table.shape == (9, 12)
    assert list(table.var_names) == list(task.genes)
    assert list(table.obs["pert_id"]) == task.query.obs["pert_id"].tolist()


def test_a_million_lines_of_obs_are_read_in_seconds(task, tmp_path):
    folder = Path(task.folder)
    line = "\tG1\tG1\tc0\tb0\n"
    text = "row\tpert_id\tpert_genes\tcontext_id\tbatch_id\n" + "".join(
        f"{i}{line}" for i in range(1_000_000)
    )
    (folder / "query" / "obs.tsv").write_text(text)
    np.lib.format.open_memmap(folder / "query" / "X.npy", "w+", np.float32, (1_000_000, 12))
    started = time.perf_counter()
    assert len(load_task(folder).query.obs["row"]) == 1_000_000
    assert time.perf_counter() - started < 20


def test_a_torn_obs_table_is_named(task):
    path = Path(task.folder) / "query" / "obs.tsv"
    path.write_text(path.read_text() + "9\tG1\n")
    with pytest.raises(SdkError, match="not every line has 5 cells"):
        load_task(task.folder).query  # noqa: B018
