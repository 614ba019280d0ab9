"""What a pretraining may see of an artifact: no row of a hidden role, no control that truth is measured against."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from perturbfm.pretrain.artifact import artifact_source
from perturbfm.pretrain.refusal import RefusedError
from perturbfm.pretrain.splits import find_split, read_split

from harness.datasets.obs import Pool
from harness.splits.create import create_split
from harness.splits.store import SplitStore
from harness.tasks.build import build_task

from .conftest import digest


def test_rows_are_those_of_role_train_without_reference_controls(source, tiny_dataset, split):
    obs = tiny_dataset.obs
    mask = np.zeros(tiny_dataset.n_obs, bool)
    mask[split.rows("train")] = True
    mask &= ~obs.is_control | obs.in_pool(Pool.A)
    np.testing.assert_array_equal(source.rows, np.flatnonzero(mask))
    assert sum(source.left_out.values()) == tiny_dataset.n_obs - len(source)
    assert source.left_out["hidden role test"] > 0


def test_hidden_cells_change_not_one_bit_of_the_encoder(
    tiny_dataset, split_file, source, pretraining, tmp_path
):
    shutil.copytree(tiny_dataset.path, tmp_path / "poisoned")
    X = np.load(tmp_path / "poisoned" / "X.npy", mmap_mode="r+")
    hidden = np.setdiff1d(np.arange(len(X)), source.rows)
    X[hidden] = np.nan
    X.flush()
    poisoned = artifact_source(tmp_path / "poisoned", tmp_path / "other", [read_split(split_file)])
    runs = [pretraining(of=of) for of in (source, poisoned)]
    for run in runs:
        run.run()
    assert digest(runs[0]) == digest(runs[1])


def test_of_several_splits_no_hidden_row_is_seen(tiny_dataset, split, tmp_path):
    other = create_split(tiny_dataset, "iid")
    splits = [read_split(SplitStore(tmp_path / "splits").save(one)) for one in (split, other)]
    rows = artifact_source(tiny_dataset.path, tmp_path / "rows", splits).rows
    assert set(rows) <= set(split.rows("train")) & set(other.rows("train"))
    assert len(rows)


def test_wanted_rows_are_refused_by_role_where_they_are_hidden(tiny_dataset, split, split_file, tmp_path):
    wanted = np.concatenate([split.rows("train")[-3:], split.rows("test")[:2], split.rows("val")[:1]])
    with pytest.raises(RefusedError, match="may not be seen") as refused:
        artifact_source(tiny_dataset.path, tmp_path / "rows", [read_split(split_file)], only=wanted)
    assert "hidden role test" in str(refused.value)
    assert "hidden role val" in str(refused.value)
    assert not list((tmp_path / "rows").iterdir())


def test_wanted_rows_that_may_be_seen_are_seen_alone(tiny_dataset, source, split_file, tmp_path):
    wanted = source.rows[5:9]
    found = artifact_source(tiny_dataset.path, tmp_path / "some", [read_split(split_file)], only=wanted)
    np.testing.assert_array_equal(found.rows, wanted)


def test_without_a_split_it_is_refused_unless_nothing_is_ever_judged_on_the_data(tiny_dataset, tmp_path):
    with pytest.raises(RefusedError, match="which rows are hidden is not known"):
        artifact_source(tiny_dataset.path, tmp_path / "rows", [])
    found = artifact_source(tiny_dataset.path, tmp_path / "rows", [], all_rows=True)
    assert found.provenance.all_rows
    assert not found.provenance.splits


def test_a_changed_split_is_refused(tiny_dataset, split_file):
    document = json.loads(split_file.read_text())
    document["roles"]["train"] += document["roles"]["test"]
    split_file.write_text(json.dumps(document))
    with pytest.raises(RefusedError, match="changed since it was frozen"):
        read_split(split_file)


def test_a_split_of_other_data_is_refused(preset_dataset, split_file, tmp_path):
    other = preset_dataset("tiny", seed=1)
    with pytest.raises(RefusedError, match="frozen over other data"):
        artifact_source(other.path, tmp_path / "rows", [read_split(split_file)])


def test_a_split_is_found_by_file_hash_and_name(split, split_file, tiny_dataset):
    store = split_file.parent
    for told in (str(split_file), split.frozen_hash, split.name, f"{tiny_dataset.name}:{split.name}"):
        assert find_split(told, tiny_dataset.name, store) == split_file
    with pytest.raises(RefusedError, match="no split 'nowhere'"):
        find_split("nowhere", tiny_dataset.name, store)


@pytest.mark.parametrize("renamed", [False, True])
def test_cells_of_an_excluded_artifact_are_left_out_by_name_and_by_content(
    tiny_dataset, source, split_file, tmp_path, renamed
):
    subset = source.rows[10:30]
    folder = tmp_path / "subset"
    folder.mkdir()
    np.save(folder / "X.npy", tiny_dataset.X[subset] if renamed else tiny_dataset.X[subset] + 1)
    table = pq.read_table(tiny_dataset.path / "obs.parquet").take(pa.array(subset))
    if renamed:
        place = table.column_names.index("cell_id")
        table = table.set_column(place, "cell_id", pa.array([f"cell {i}" for i in range(len(subset))]))
    pq.write_table(table, folder / "obs.parquet")
    card = {"name": "subset", "data_hash": "0" * 64, "n_obs": len(subset), "genes": tiny_dataset.genes}
    (folder / "meta.json").write_text(json.dumps(card))
    found = artifact_source(tiny_dataset.path, tmp_path / "rest", [read_split(split_file)], excluded=[folder])
    np.testing.assert_array_equal(found.rows, np.setdiff1d(source.rows, subset))
    assert found.left_out["cell of an excluded artifact"] == len(subset)
    assert found.provenance.excluded == {"0" * 64: "subset"}


def test_a_task_folder_shows_its_training_table_and_no_more(tiny_dataset, split, tmp_path):
    from perturbfm.pretrain.source import task_source

    task = build_task(tiny_dataset, split, "val", cache=tmp_path / "tasks")
    found = task_source(task.public, tmp_path / "rows")
    np.testing.assert_array_equal(found.rows, np.arange(len(found.X)))
    assert found.provenance.splits == {split.frozen_hash: split.name}
    assert found.provenance.roles == ["train"]
