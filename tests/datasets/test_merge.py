"""Several datasets as one: shared genes, contexts apart, controls dealt anew, and a laboratory to hold out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset, verify_content
from harness.datasets.merge import merge_datasets
from harness.datasets.obs import Pool
from harness.errors import ExistsError, HarnessError
from harness.splits.create import create_split

Build = Callable[..., Path]


@pytest.fixture
def lab(build: Build, tmp_path: Path) -> Callable[..., PerturbDataset]:
    """A small dataset of a laboratory; what it measures and how is told."""

    def make(name: str, **changes: object) -> PerturbDataset:
        return open_dataset(build(tmp_path / name, name=name, **changes))

    return make


def test_every_row_of_each_dataset_is_there_once_over_the_shared_genes(lab, tmp_path: Path) -> None:
    one, two = lab("one"), lab("two", genes=["C", "X", "A"])
    merged = open_dataset(merge_datasets([one, two], tmp_path / "both"))
    verify_content(merged)
    assert merged.genes == ["A", "C"]
    ids = merged.cell_ids()
    for source, columns in ((one, [0, 2]), (two, [2, 0])):
        place = {cell: row for row, cell in enumerate(ids) if cell.startswith(f"{source.name}:")}
        rows = np.array([place[f"{source.name}:{cell}"] for cell in source.cell_ids()])
        assert len(place) == source.n_obs
        np.testing.assert_array_equal(merged.X[rows], source.X[:, columns])
        assert merged.counts is not None
        np.testing.assert_array_equal(merged.counts[rows], source.counts[:, columns])
        assert merged.obs.pert.names(rows).tolist() == source.obs.pert.names().tolist()
        np.testing.assert_array_equal(merged.obs.covariates["dose"][rows], source.obs.covariates["dose"])
        assert set(merged.obs.covariates["dataset_id"].names(rows)) == {source.name}
        assert merged.obs.context.names(rows).tolist() == [
            f"{source.name} · {context}" for context in source.obs.context.names()
        ]


def test_a_control_never_answers_for_the_rows_of_another_dataset(lab, tmp_path: Path) -> None:
    merged = open_dataset(merge_datasets([lab("one"), lab("two", seed=5)], tmp_path / "both"))
    origin = merged.obs.covariates["dataset_id"].codes
    np.testing.assert_array_equal(origin[merged.control], origin)
    assert merged.obs.in_pool(Pool.A)[merged.control].all()


def test_the_same_datasets_and_seed_give_the_same_hash(lab, tmp_path: Path) -> None:
    sources = [lab("one"), lab("two", seed=5)]
    hashes = [open_dataset(merge_datasets(sources, tmp_path / n, name="m")).data_hash for n in ("a", "b")]
    assert hashes[0] == hashes[1]
    assert open_dataset(merge_datasets(sources, tmp_path / "c", seed=1)).data_hash != hashes[0]


def test_what_only_some_datasets_have_is_left_out_and_said(lab, tmp_path: Path) -> None:
    merged = open_dataset(
        merge_datasets([lab("one"), lab("two", counts_dtype=None, embeddings={})], tmp_path / "both")
    )
    assert merged.counts is None
    assert "one: left out: obsm/X_pca, counts" in merged.meta.notes
    assert any(note.startswith("two: 120 rows, 3 of 3 genes") for note in merged.meta.notes)


def test_one_of_the_merged_datasets_can_be_held_out(tmp_path: Path) -> None:
    from harness.datasets.synthetic import SynthSpec, make_synthetic

    spec = SynthSpec(name="one", n_genes=24, n_contexts=3, n_singles=8, cells=4, controls=40)
    made = [
        make_synthetic(spec.model_copy(update={"name": name, "n_contexts": n}), tmp_path / name)
        for name, n in (("one", 3), ("two", 2))
    ]
    merged = open_dataset(merge_datasets([open_dataset(path) for path in made], tmp_path / "both"))
    split = create_split(merged, "dataset_ood", test_dataset="two")
    origin = merged.obs.covariates["dataset_id"]
    assert set(origin.names(split.rows("test"))) == {"two"}
    assert set(origin.names(split.rows("train"))) == {"one"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"genes": ["X", "Y", "Z"]}, "no gene in common"),
        ({"x_kind": "zscore"}, "different kinds of values"),
        ({"unit": "profile"}, "different units"),
        ({"matching": "mean"}, "different matching rules"),
        ({"perturbations": {"A": ["B"], "A+B": ["A", "B"]}}, "different target genes"),
    ],
)
def test_datasets_that_do_not_mean_the_same_are_refused(lab, tmp_path: Path, changes, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        merge_datasets([lab("one"), lab("two", **changes)], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_the_same_dataset_twice_is_refused(lab, tmp_path: Path) -> None:
    one = lab("one")
    with pytest.raises(HarnessError, match="same name"):
        merge_datasets([one, one], tmp_path / "both")
    with pytest.raises(HarnessError, match="same content"):
        merge_datasets([one, lab("copy")], tmp_path / "both")
    with pytest.raises(HarnessError, match="at least two"):
        merge_datasets([one], tmp_path / "both")


def test_a_merged_dataset_is_not_merged_again(lab, tmp_path: Path) -> None:
    merged = open_dataset(merge_datasets([lab("one"), lab("two", seed=5)], tmp_path / "both"))
    with pytest.raises(HarnessError, match="dataset_id"):
        merge_datasets([merged, lab("three", seed=6)], tmp_path / "all")


def test_nothing_is_written_over(lab, tmp_path: Path) -> None:
    with pytest.raises(ExistsError):
        merge_datasets([lab("one"), lab("two", seed=5)], tmp_path / "one")
