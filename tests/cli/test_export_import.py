"""`harness export cell-eval` and `harness import predictions`: files that other programs read and write."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from harness.datasets.dataset import open_dataset
from harness.splits.store import SplitStore
from harness.tasks.build import build_task
from harness.tasks.truth import load_truth


@pytest.fixture
def run(run_harness, project):
    return project / run_harness("submit", "zeros", "--param", "level=-0.5").stdout.strip().splitlines()[-1]


@pytest.fixture
def dataset(project):
    return open_dataset(project / "data" / "tiny")


@pytest.fixture
def truth(project, dataset, tmp_path):
    split = SplitStore(project / "splits").load("context_ood", "tiny")
    return load_truth(build_task(dataset, split, "val", cache=tmp_path / "tasks"))


def test_both_files_share_the_controls_and_negative_values_are_clipped_and_counted(
    run_harness, run, project, dataset, truth
):
    done = run_harness("export", "cell-eval", str(run), "--out", "files", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    pred, real = (anndata.read_h5ad(project / "files" / f"{name}.h5ad") for name in ("pred", "real"))
    control = dataset.meta.control_label
    sides = [side[(side.obs["target_gene"] == control).to_numpy()].X.toarray() for side in (pred, real)]
    assert len(sides[0]) == told["control_cells"] > 0
    assert np.array_equal(*sides)
    assert list(pred.var_names) == list(dataset.genes) == list(real.var_names)
    assert set(pred.obs["target_gene"]) == set(real.obs["target_gene"])
    assert pred.X.data.min() > 0
    predicted = dataset.X[truth.query_row[np.isin(truth.query_condition, truth.of_kind("reported"))]] - 0.5
    assert told["clipped"] == (predicted < 0).sum()
    assert told["values"] == predicted.size
    hidden = np.concatenate([truth.conditions[i].rows for i in truth.of_kind("reported").tolist()])
    assert real.n_obs == told["control_cells"] + len(hidden)
    kept = real[(real.obs["target_gene"] != control).to_numpy()].X.toarray()
    assert np.array_equal(kept.astype(np.float32), dataset.X[hidden])


def test_a_run_without_predictions_is_refused(run_harness, run, project):
    (run / "predictions.npz").unlink()
    done = run_harness("export", "cell-eval", str(run), "--out", "files")
    assert done.returncode == 3
    assert "keeps no predictions" in done.stderr
    assert not (project / "files").exists()


@pytest.fixture
def write_h5ad(project, dataset, truth):
    """Writes cells of every asked condition as another program would: query cells + 1, genes reversed, with controls."""

    def write(cells_of=None, conditions=None, genes=None):
        chosen = range(len(truth.conditions)) if conditions is None else conditions
        cells_of = cells_of or (lambda i: dataset.X[truth.query_row[truth.query_condition == i]] + 1)
        parts = [np.asarray(cells_of(i)) for i in chosen]
        obs = [truth.conditions[i].condition for i, part in zip(chosen, parts, strict=True) for _ in part]
        frame = pd.DataFrame(
            {
                "target_gene": [c.pert for c in obs] + ["non-targeting"],
                "cell_type": [c.context for c in obs] + ["C0"],
            }
        )
        for k, name in enumerate(dataset.meta.covariates):
            frame[name] = [c.covariates[k] for c in obs] + [""]
        frame.index = frame.index.astype(str)
        X = np.concatenate([*parts, np.zeros((1, dataset.meta.n_vars), np.float32)])
        names = list(dataset.genes) if genes is None else genes
        var = pd.DataFrame(index=names[::-1])
        anndata.AnnData(X[:, ::-1].astype(np.float32), obs=frame, var=var).write_h5ad(project / "other.h5ad")

    return write


@pytest.fixture
def import_file(run_harness, dataset):
    def run(*more):
        covariates = [word for name in dataset.meta.covariates for word in ("--covariate-col", name)]
        return run_harness(
            "import", "predictions", "other.h5ad", "--from", "h5ad", "--task", "tiny:context_ood",
            "--out", "predictions.npz", *covariates, *more,
        )  # fmt: skip

    return run


def test_imported_cells_become_effects_that_score(run_harness, import_file, write_h5ad, project, truth):
    write_h5ad()
    done = import_file()
    assert done.returncode == 0, done.stderr
    assert "genes were put into the task's order by name" in done.stdout
    assert "1 control cells of the file are left out" in done.stdout
    with np.load(project / "predictions.npz") as found:
        assert found["mean"].shape[0] == len(truth.query_row)
        np.testing.assert_allclose(found["mean"], 1, atol=1e-5)
        assert set(found["supported"].tolist()) == {2}
    valid = run_harness("validate", "predictions.npz", "--task", "tiny:context_ood")
    assert valid.returncode == 0, valid.stderr


def test_a_missing_condition_is_refused_by_name_or_gets_no_effect(import_file, write_h5ad, project, truth):
    left_out = truth.conditions[3].condition
    write_h5ad(conditions=[i for i in range(len(truth.conditions)) if i != 3])
    done = import_file()
    assert done.returncode == 3
    assert str(left_out) in done.stderr.replace("\n", " ")
    accepted = import_file("--missing", "control", "--json")
    assert accepted.returncode == 0, accepted.stderr
    assert any("1 conditions are missing" in note for note in json.loads(accepted.stdout)["notes"])
    with np.load(project / "predictions.npz") as found:
        mine = truth.query_condition == 3
        assert not found["mean"][mine].any()
        assert set(found["supported"][mine].tolist()) == {0}
        assert set(found["supported"][~mine].tolist()) == {2}


@pytest.mark.parametrize(
    ("name", "rows_of"),
    [
        ("the truth", lambda truth, i: truth.conditions[i].rows),
        ("the task's input", lambda truth, i: truth.query_row[truth.query_condition == i]),
        ("the truth", lambda truth, i: truth.conditions[i].rows[:1]),
    ],
)
def test_a_file_that_repeats_what_is_known_is_refused_by_name(
    import_file, write_h5ad, project, dataset, truth, name, rows_of
):
    conditions = [i for i, c in enumerate(truth.conditions) if len(c.rows)]
    write_h5ad(lambda i: dataset.X[rows_of(truth, i)], conditions=conditions)
    done = import_file("--missing", "control")
    assert done.returncode == 3
    assert f"this prediction is {name}" in done.stderr
    assert not (project / "predictions.npz").exists()


def test_the_mean_of_the_truth_is_refused_too(import_file, write_h5ad, dataset, truth):
    conditions = [i for i, c in enumerate(truth.conditions) if len(c.rows) > 1]
    write_h5ad(
        lambda i: dataset.X[truth.conditions[i].rows].mean(axis=0, keepdims=True), conditions=conditions
    )
    done = import_file("--missing", "control")
    assert done.returncode == 3
    assert "this prediction is the truth" in done.stderr


def test_controls_that_the_task_did_not_give_are_refused(import_file, write_h5ad, dataset, truth):
    given = set(truth.query_row.tolist())

    def others(i):
        context = dataset.obs.context.code(truth.conditions[i].condition.context)
        rows = np.flatnonzero(dataset.obs.is_control & (dataset.obs.context.codes == context))
        return dataset.X[[row for row in rows.tolist() if row not in given][:5]]

    write_h5ad(others)
    done = import_file()
    assert done.returncode == 3
    assert "this prediction is control cells" in done.stderr


def test_a_file_without_one_of_the_genes_is_refused_by_name(import_file, write_h5ad, dataset):
    genes = list(dataset.genes)
    write_h5ad(genes=["OTHER", *genes[1:]])
    done = import_file()
    assert done.returncode == 3
    assert f"1 missing: {genes[0]}" in done.stderr


def test_whole_numbers_are_no_log_normalised_expression(import_file, write_h5ad, dataset):
    write_h5ad(lambda i: np.full((3, dataset.meta.n_vars), i + 1.0))
    done = import_file()
    assert done.returncode == 3
    assert "whole numbers" in done.stderr


def test_a_column_that_is_not_there_is_answered_with_those_that_are(import_file, write_h5ad):
    write_h5ad()
    done = import_file("--pert-col", "gene")
    assert done.returncode == 3
    assert "target_gene" in done.stderr


@pytest.fixture
def write_state(project, dataset, truth):
    """Writes a file as `state tx infer` does: predictions in obsm/X_hvg, the cells that it was given still in X."""

    def write(predicted, *, named=True):
        rows = np.concatenate(
            [truth.query_row[truth.query_condition == i][:4] for i in range(len(truth.conditions))]
        )
        told = [truth.conditions[i].condition for i in range(len(truth.conditions)) for _ in range(4)]
        obs = pd.DataFrame({"gene": [c.pert for c in told], "cell_type": [c.context for c in told]})
        for k, name in enumerate(dataset.meta.covariates):
            obs[name] = [c.covariates[k] for c in told]
        obs.index = obs.index.astype(str)
        given = np.asarray(dataset.X[rows])
        names = list(dataset.genes) if named else [str(i) for i in range(len(dataset.genes))]
        file = anndata.AnnData(given, obs=obs, var=pd.DataFrame(index=names))
        file.obsm["X_hvg"] = predicted(given).astype(np.float32)
        file.write_h5ad(project / "other.h5ad")

    return write


def test_states_predictions_are_taken_from_where_state_leaves_them(
    import_file, write_state, project, dataset, truth
):
    write_state(lambda given: given + 0.5)
    done = import_file("--from", "state")
    assert done.returncode == 0, done.stderr
    assert "obsm/X_hvg" in done.stdout
    with np.load(project / "predictions.npz") as found:
        shift = found["mean"].mean()
    assert 0.3 < shift < 0.7


def test_cells_that_state_left_as_they_were_are_refused_with_the_switch_that_was_forgotten(
    import_file, write_state, project
):
    def half(given):
        moved = given + 0.5
        moved[: len(moved) // 2] = given[: len(moved) // 2]
        return moved

    write_state(half)
    done = import_file("--from", "state")
    assert done.returncode == 3
    assert "this prediction is its own input" in done.stderr
    assert "--control-pert" in done.stderr
    assert not (project / "predictions.npz").exists()


def test_columns_without_names_are_refused_until_a_list_names_them(
    import_file, write_state, project, dataset
):
    write_state(lambda given: given + 0.5, named=False)
    done = import_file("--from", "state")
    assert done.returncode == 3
    assert "lost their names" in done.stderr
    (project / "genes.txt").write_text("\n".join(dataset.genes[1:]) + "\n")
    short = import_file("--from", "state", "--genes", "genes.txt")
    assert short.returncode == 3
    assert (
        f"{len(dataset.genes)} columns, {len(dataset.genes) - 1} genes in the list"
        in short.stderr.replace("\n", " ")
    )
    (project / "genes.txt").write_text("\n".join(dataset.genes) + "\n")
    assert import_file("--from", "state", "--genes", "genes.txt").returncode == 0


def test_a_label_that_the_task_does_not_know_stands_beside_the_one_that_is_missing(
    import_file, write_h5ad, project, truth
):
    write_h5ad()
    file = anndata.read_h5ad(project / "other.h5ad")
    wrong = truth.conditions[0].condition.pert
    file.obs["target_gene"] = file.obs["target_gene"].astype(str).replace({wrong: "TYPO"})
    file.write_h5ad(project / "other.h5ad")
    done = import_file()
    assert done.returncode == 3
    assert "the file has others" in done.stderr.replace("\n", " ")
    assert "TYPO" in done.stderr


def test_a_truth_that_was_rounded_is_the_truth(import_file, write_h5ad, dataset, truth):
    conditions = [i for i, c in enumerate(truth.conditions) if len(c.rows)]
    write_h5ad(
        lambda i: dataset.X[truth.conditions[i].rows].astype(np.float16).astype(np.float32),
        conditions=conditions,
    )
    done = import_file("--missing", "control", "--from", "cell-eval")
    assert done.returncode == 3
    assert "this prediction is the truth" in done.stderr
