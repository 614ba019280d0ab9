"""A task folder holds what may be learnt from and what is asked, and nothing else; the truth lies sealed beside it."""

from __future__ import annotations

import csv
import filecmp
import itertools
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.graphs import GeneGraph, save_graph
from harness.datasets.obs import Pool
from harness.errors import ChangedError, HarnessError
from harness.splits.split import ROLES
from harness.tasks.build import build_task, open_task, task_hash
from harness.tasks.truth import load_truth


def table(folder: Path) -> list[dict[str, str]]:
    """A plain table, read as any program would."""
    with (folder / "obs.tsv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))


def same_files(left: Path, right: Path) -> bool:
    names = sorted(str(p.relative_to(left)) for p in left.rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(right)) for p in right.rglob("*") if p.is_file())
    return filecmp.cmpfiles(left, right, names, shallow=False)[0] == names


@pytest.fixture(scope="module")
def built(six, tmp_path_factory):
    dataset, split = six
    return build_task(dataset, split, "val", cache=tmp_path_factory.mktemp("cache"))


def test_plain_numpy_and_csv_read_every_row_back(six, built):
    dataset, _ = six
    X = np.load(built.public / "train" / "X.npy")
    counts = np.load(built.public / "train" / "counts.npy")
    obs = table(built.public / "train")
    assert len(X) == len(obs) == built.card.n_train
    row_of = {dataset.X[i].tobytes(): i for i in range(dataset.n_obs)}
    rows = np.array([row_of[x.tobytes()] for x in X])
    assert np.array_equal(counts, dataset.counts[rows])
    assert [o["pert_id"] for o in obs] == list(dataset.obs.pert.names(rows))
    assert [o["context_id"] for o in obs] == list(dataset.obs.context.names(rows))
    assert [o["batch_id"] for o in obs] == list(dataset.obs.batch.names(rows))
    assert [int(o["row"]) for o in obs] == list(range(len(obs)))
    control = np.array([int(o["control_row"]) for o in obs])
    assert np.array_equal(rows[control], dataset.control[rows])
    assert list(obs[0]) == [
        "row", "pert_id", "pert_genes", "context_id", "batch_id", "is_control", "role", "control_row"
    ]  # fmt: skip
    genes = (built.public / "var.tsv").read_text().split("\n")
    assert genes == ["gene", *dataset.genes, ""]


def test_query_columns_are_the_whitelist_and_each_row_is_the_control_that_the_truth_names(six, built):
    dataset, _ = six
    truth = load_truth(built)
    X = np.load(built.public / "query" / "X.npy")
    obs = table(built.public / "query")
    assert list(obs[0]) == ["row", "pert_id", "pert_genes", "context_id", "batch_id"]
    assert np.array_equal(X, dataset.X[truth.query_row])
    assert np.array_equal(
        np.load(built.public / "query" / "obsm" / "emb.npy"), dataset.obsm["emb"][truth.query_row]
    )
    asked = [truth.conditions[i].condition for i in truth.query_condition]
    assert [(o["context_id"], o["pert_id"]) for o in obs] == [(c.context, c.pert) for c in asked]
    assert [o["context_id"] for o in obs] == list(dataset.obs.context.names(truth.query_row))
    assert [o["batch_id"] for o in obs] == list(dataset.obs.batch.names(truth.query_row))


def test_every_condition_has_the_same_number_of_distinct_pool_a_rows(six, built):
    dataset, _ = six
    truth = load_truth(built)
    n = np.bincount(truth.query_condition, minlength=len(truth.conditions))
    assert set(n) == {built.card.rows_per_condition} == {16}
    assert built.card.rows_limited_by == "pool_a"
    assert dataset.obs.in_pool(Pool.A)[truth.query_row].all()
    for index in range(len(truth.conditions)):
        assert len(set(truth.query_row[truth.query_condition == index])) == 16


def test_batches_of_query_rows_are_in_the_proportion_of_pool_a(six, tmp_path):
    dataset, split = six
    truth = load_truth(build_task(dataset, split, "val", cache=tmp_path, max_rows=7))
    for index, asked in enumerate(truth.conditions):
        pool = dataset.obs.batch.codes[dataset.pool_rows(asked.condition.context, Pool.A)]
        share = np.bincount(pool, minlength=2) / len(pool)
        mine = np.bincount(
            dataset.obs.batch.codes[truth.query_row[truth.query_condition == index]], minlength=2
        )
        assert np.abs(mine - 7 * share).max() < 1


@pytest.mark.parametrize("eval_split", ["val", "test"])
def test_labelled_rows_are_those_of_the_evaluation_split_and_controls_are_pool_a_alone(
    six, tmp_path, eval_split
):
    dataset, split = six
    task = build_task(dataset, split, eval_split, cache=tmp_path)
    role = np.array(ROLES)[split.role_codes()]
    given = set(np.load(task.public / "train" / "X.npy")[:, 0])
    of_value = {dataset.X[i, 0]: i for i in range(dataset.n_obs)}
    rows = np.array(sorted(of_value[v] for v in given))
    control = dataset.obs.is_control[rows]
    labelled = {"val": {"train"}, "test": {"train", "val"}}[eval_split]
    assert set(rows[~control]) == set(np.flatnonzero(np.isin(role, list(labelled)) & ~dataset.obs.is_control))
    assert (dataset.obs.pool[rows[control]] == Pool.A).all()
    contexts = {"val": ["C0", "C1", "C2", "C3", "C4"], "test": ["C0", "C1", "C2", "C3", "C4", "C5"]}[
        eval_split
    ]
    assert sorted(set(dataset.obs.context.names(rows[control]))) == contexts


def test_a_control_never_tells_whether_its_context_is_reported_or_kept_for_calibration(six, tmp_path):
    dataset, split = six
    for eval_split, of_c3 in (("val", "train"), ("test", "val")):
        obs = table(build_task(dataset, split, eval_split, cache=tmp_path).public / "train")
        roles = {o["context_id"]: o["role"] for o in obs if o["is_control"] == "1"}
        assert roles["C3"] == of_c3
        assert roles["C4"] == "train"
        assert roles.get("C5", "train") == "train"


def test_the_same_inputs_give_the_same_bytes_and_another_seed_another_task(six, built, tmp_path):
    dataset, split = six
    again = build_task(dataset, split, "val", cache=tmp_path / "a")
    assert again.hash == built.hash
    assert same_files(built.public, again.public)
    assert same_files(built.sealed, again.sealed)
    other = build_task(dataset, split, "val", cache=tmp_path / "a", seed=1)
    assert other.hash != built.hash
    assert (other.public / "query" / "obs.tsv").read_bytes() != (
        built.public / "query" / "obs.tsv"
    ).read_bytes()


def test_h5ad_tasks_hold_the_same_tables_and_the_same_bytes_each_time(six, built, tmp_path):
    import anndata

    dataset, split = six
    tasks = [build_task(dataset, split, "val", cache=tmp_path / c, input_format="h5ad") for c in "ab"]
    assert same_files(tasks[0].public, tasks[1].public)
    for name in ("train", "query"):
        plain, read = built.public / name, anndata.read_h5ad(tasks[0].public / f"{name}.h5ad")
        assert np.array_equal(read.X, np.load(plain / "X.npy"))
        assert np.array_equal(read.layers["counts"], np.load(plain / "counts.npy"))
        assert np.array_equal(read.obsm["emb"], np.load(plain / "obsm" / "emb.npy"))
        assert list(read.var_names) == dataset.genes
        assert [dict(r) for r in read.obs.astype(str).to_dict("records")] == table(plain)


def test_a_built_task_is_found_again_without_building(six, tmp_path):
    dataset, split = six
    first = build_task(dataset, split, "val", cache=tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert build_task(dataset, split, "val", cache=tmp_path) == first
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    "file",
    ["task/train/X.npy", "task/query/obs.tsv", "task/task.json", "sealed/truth.json",
     "sealed/canary.npy", "sealed/seal.json"],
)  # fmt: skip
def test_a_changed_byte_in_a_built_task_is_refused_with_the_file_and_the_way_out(six, tmp_path, file):
    dataset, split = six
    task = build_task(dataset, split, "val", cache=tmp_path)
    path = task.public.parent / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1 if file.endswith((".npy", ".tsv")) else 0
    if not file.endswith((".npy", ".tsv")):
        content = bytearray(
            bytes(content)
            .replace(b'"schema": 1', b'"schema": 1 ')
            .replace(task.hash[:8].encode(), b"00000000")
        )
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(ChangedError) as refusal:
        build_task(dataset, split, "val", cache=tmp_path)
    assert file.split("/")[-1] in str(refusal.value)
    assert f"rm -r {task.public.parent}" in str(refusal.value)


def test_a_foreign_or_missing_file_in_a_built_task_is_refused(six, tmp_path):
    dataset, split = six
    task = build_task(dataset, split, "val", cache=tmp_path)
    (task.public / "notes.txt").write_text("hello")
    with pytest.raises(ChangedError, match=r"notes\.txt"):
        open_task(task.public)
    (task.public / "notes.txt").unlink()
    (task.public / "var.tsv").unlink()
    with pytest.raises(ChangedError, match=r"var\.tsv"):
        open_task(task.public)


def test_what_a_killed_or_failed_build_leaves_is_no_task(six, tmp_path, monkeypatch):
    dataset, split = six

    def fail(what: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_task(dataset, split, "val", cache=tmp_path, progress=fail)
    assert list(tmp_path.iterdir()) == []
    assert build_task(dataset, split, "val", cache=tmp_path).card.n_query


def test_progress_ends_at_the_number_of_rows(six, tmp_path):
    dataset, split = six
    told: dict[str, tuple[int, int]] = {}
    task = build_task(
        dataset, split, "val", cache=tmp_path, progress=lambda what, done, of: told.update({what: (done, of)})
    )
    assert told["train/X.npy"] == (task.card.n_train, task.card.n_train)
    assert told["query/X.npy"] == (task.card.n_query, task.card.n_query)


def test_a_byte_budget_lowers_the_rows_per_condition_and_is_recorded(six, tmp_path):
    dataset, split = six
    row_bytes = 24 * 4 + 24 * 4 + 3 * 4
    task = build_task(dataset, split, "val", cache=tmp_path, max_bytes=5 * row_bytes * 24)
    assert task.card.rows_limited_by == "byte_budget"
    assert task.card.rows_per_condition == 5
    assert (
        sum((task.public / "query" / f).stat().st_size - 128 for f in ("X.npy", "counts.npy", "obsm/emb.npy"))
        <= 5 * row_bytes * 24
    )


def test_every_input_of_a_task_is_part_of_its_hash(six, tmp_path):
    dataset, split = six
    graph = save_graph(GeneGraph.of(np.eye(24, k=1), dataset.genes, "external"), tmp_path / "g.npz")
    hashes = [
        task_hash(dataset, split, "val"),
        task_hash(dataset, split, "test"),
        task_hash(dataset, split, "val", seed=1),
        task_hash(dataset, split, "val", max_rows=8),
        task_hash(dataset, split, "val", max_bytes=1000),
        task_hash(dataset, split, "val", input_format="h5ad"),
        task_hash(dataset, split, "val", graphs=[graph]),
    ]
    assert len(set(hashes)) == len(hashes)


def test_graphs_cross_the_wall_in_the_gene_order_of_the_task(six, tmp_path):
    dataset, split = six
    backwards = list(reversed(dataset.genes))
    save_graph(GeneGraph.of(np.eye(24, k=1), backwards, "learned"), tmp_path / "chain.npz")
    task = build_task(dataset, split, "val", cache=tmp_path / "cache", graphs=[tmp_path / "chain.npz"])
    with np.load(task.public / "graphs" / "chain.npz") as parts:
        assert parts["genes"].tolist() == dataset.genes
        edges = {
            (dataset.genes[i], dataset.genes[j])
            for i in range(24)
            for j in parts["indices"][parts["indptr"][i] : parts["indptr"][i + 1]]
        }
    assert edges == set(itertools.pairwise(backwards))
    card = task.card.graphs["chain"]
    assert (card.file, card.provenance, card.n_edges, card.coverage) == (
        "graphs/chain.npz",
        "learned",
        23,
        1.0,
    )


def test_a_split_of_another_dataset_is_refused(six, make, tmp_path):
    _, split = six
    other = make.dataset(tmp_path / "other", make.crossed(["C0"], ["G00"]))
    with pytest.raises(HarnessError, match="another dataset"):
        build_task(other, split, "val", cache=tmp_path)


def test_a_split_without_reported_or_without_training_rows_is_refused(make, tmp_path):
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], ["G00", "G01"]))
    no_val = make.split(dataset, lambda c, p: "train")
    with pytest.raises(HarnessError, match="nothing to report on val"):
        build_task(dataset, no_val, "val", cache=tmp_path)
    no_train = make.split(dataset, lambda c, p: "val" if c == "C0" else "test")
    with pytest.raises(HarnessError, match="nothing to learn from"):
        build_task(dataset, no_train, "val", cache=tmp_path)


def test_controls_that_were_set_aside_are_neither_given_nor_matched_nor_subtracted(make, tmp_path):
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], ["G00", "G01", "G02"], controls=60))
    whole = make.split(dataset, lambda c, p: "val" if c == "C1" else "train")
    role = whole.role_codes()
    role[np.flatnonzero(dataset.obs.is_control)[::2]] = -1
    from harness.splits.split import freeze

    split = freeze(
        name="half",
        dataset=whole.dataset,
        regime="test",
        params={},
        seed=0,
        ood_axes=["context"],
        role_of=role,
    )
    task = build_task(dataset, split, "val", cache=tmp_path)
    of_value = {dataset.X[i, 0]: i for i in range(dataset.n_obs)}
    rows = np.array([of_value[v] for v in np.load(task.public / "train" / "X.npy")[:, 0]])
    truth = load_truth(task)
    for used in (rows, truth.query_row, truth.reference("C1")):
        assert (role[used] >= 0).all()
    obs = table(task.public / "train")
    control = rows[[int(o["control_row"]) for o in obs]]
    assert (dataset.obs.pool[control] == Pool.A).all()
    assert np.array_equal(dataset.obs.context.codes[control], dataset.obs.context.codes[rows])
    assert (dataset.obs.batch.codes[control] == dataset.obs.batch.codes[rows]).mean() > 0.9


def test_a_context_whose_controls_were_all_set_aside_is_refused_by_name(make, tmp_path):
    dataset = make.dataset(tmp_path / "d", make.crossed(["C0", "C1"], ["G00", "G01"]))
    split = make.split(dataset, lambda c, p: ("aside" if p == "control" else "val") if c == "C1" else "train")
    with pytest.raises(HarnessError, match="no control cell to start from") as refusal:
        build_task(dataset, split, "val", cache=tmp_path)
    assert refusal.value.got == "C1"
