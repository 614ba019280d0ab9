"""What is in an h5ad file comes out the same however it is written."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset, verify_content
from harness.datasets.importers import h5_matrix
from harness.datasets.importers.h5ad import import_h5ad
from harness.datasets.importers.h5ad_options import H5adOptions
from harness.datasets.obs import Pool

Write = Callable[..., Path]


@pytest.fixture
def imported(tmp_path: Path, write_h5ad: Write) -> Callable[..., PerturbDataset]:
    """Writes cells, imports them, and opens the artifact."""

    def go(cells: Any, *, matrix: str = "csr", table: str = "categorical", **options: Any) -> PerturbDataset:
        out = tmp_path / f"artifact-{len(list(tmp_path.iterdir()))}"
        path = import_h5ad(
            write_h5ad(cells, matrix=matrix, table=table), out, H5adOptions(name="d", **options)
        )
        dataset = open_dataset(path)
        verify_content(dataset)
        return dataset

    return go


ENCODINGS = [
    (m, t) for m in ("csr", "csc", "dense") for t in ("categorical", "strings", "legacy", "compound")
]


def test_every_matrix_and_table_encoding_gives_the_same_data_hash(cells: Any, imported: Any) -> None:
    hashes = {(m, t): imported(cells, matrix=m, table=t).data_hash for m, t in ENCODINGS}
    assert len(set(hashes.values())) == 1, hashes


@pytest.mark.parametrize("matrix", ["csr", "csc", "dense"])
def test_small_blocks_give_the_same_data_hash(
    cells: Any, imported: Any, matrix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = imported(cells).data_hash
    monkeypatch.setattr(h5_matrix, "BLOCK_VALUES", 12 * 7)
    assert imported(cells, matrix=matrix).data_hash == whole


def test_files_written_by_anndata_are_read(cells: Any, imported: Any, tmp_path: Path) -> None:
    import anndata
    import pandas as pd

    obs = pd.DataFrame(cells.obs, index=cells.ids)
    obs["perturbation"] = obs["perturbation"].astype("category")
    adata = anndata.AnnData(cells.X, obs=obs, var=pd.DataFrame(index=cells.genes))
    adata.write_h5ad(tmp_path / "by_anndata.h5ad")
    out = import_h5ad(tmp_path / "by_anndata.h5ad", tmp_path / "artifact", H5adOptions())
    assert open_dataset(out).data_hash == imported(cells).data_hash


def test_counts_are_kept_in_the_smallest_type_and_log_normalised(cells: Any, imported: Any) -> None:
    dataset = imported(cells)
    source = {name: row for row, name in enumerate(cells.ids)}
    rows = np.array([source[name] for name in dataset.cell_ids()])
    assert dataset.counts is not None
    assert dataset.counts.dtype == np.uint8
    np.testing.assert_array_equal(dataset.counts, cells.X[rows])
    expected = np.log1p(cells.X[rows] / cells.X[rows].sum(axis=1, keepdims=True) * 1e4)
    np.testing.assert_allclose(dataset.X, expected, rtol=1e-5)
    assert dataset.meta.preprocessing.found == "counts"
    assert dataset.meta.preprocessing.steps == ["divided by the row's sum, times 10000", "log1p"]


def test_a_count_of_256_needs_two_bytes(cells: Any, imported: Any) -> None:
    cells.X[0, 0] = 256
    assert imported(cells).counts.dtype == np.uint16


def test_log_normalised_values_are_taken_as_they_are(cells: Any, imported: Any) -> None:
    cells.X = np.log1p(cells.X)
    dataset = imported(cells)
    assert dataset.meta.preprocessing.found == "log_normalised"
    assert dataset.meta.preprocessing.steps == []
    assert dataset.counts is None
    np.testing.assert_allclose(np.sort(dataset.X, axis=None), np.sort(cells.X, axis=None))


def test_scaled_values_are_rescaled_and_logged_when_told(cells: Any, imported: Any) -> None:
    from_counts = imported(cells)
    cells.X = cells.X / cells.X.sum(axis=1, keepdims=True) * 1e6
    dataset = imported(cells, values="normalised")
    np.testing.assert_allclose(dataset.X, from_counts.X, rtol=1e-4)
    assert dataset.counts is None


def test_the_full_transcriptome_total_is_used_where_the_file_has_it(cells: Any, imported: Any) -> None:
    full = cells.X.sum(axis=1) * 3
    plain = imported(cells)
    cells.obs["total_counts"] = full
    dataset = imported(cells)
    np.testing.assert_allclose(np.expm1(dataset.X) * 3, np.expm1(plain.X), rtol=1e-4)
    assert "full transcriptome" in dataset.meta.preprocessing.steps[0]


def test_a_guessed_total_that_is_less_than_the_counts_is_not_used_and_that_is_noted(
    cells: Any, imported: Any
) -> None:
    plain = imported(cells)
    cells.obs["total_counts"] = cells.X.sum(axis=1) - 2
    dataset = imported(cells)
    np.testing.assert_array_equal(dataset.X, plain.X)
    assert any("not used" in note for note in dataset.meta.notes)


def test_a_layer_is_read_when_named(cells: Any, imported: Any) -> None:
    counts = imported(cells)
    cells.layers["counts"] = cells.X
    cells.X = np.log1p(cells.X)
    assert imported(cells, layer="counts").data_hash == counts.data_hash


def test_combinations_have_one_order_and_that_is_noted(cells: Any, imported: Any) -> None:
    dataset = imported(cells)
    assert [level for level in dataset.obs.pert.levels if "+" in level] == ["G1+G2"]
    assert dataset.meta.perturbations["G1+G2"] == ["G1", "G2"]
    assert any("G2+G1 → G1+G2" in note for note in dataset.meta.notes)


def test_perturbed_genes_that_are_not_in_the_gene_list_are_counted_and_noted(
    cells: Any, imported: Any
) -> None:
    assert any(
        note.startswith("1 of 3 perturbed genes are not in the gene list: GX")
        for note in imported(cells).meta.notes
    )


def test_drugs_have_no_target_genes_and_are_not_split(cells: Any, imported: Any) -> None:
    cells.obs["perturbation"] = [
        {"control": "DMSO", "GX": "(+)-JQ1"}.get(p, "drug") for p in cells.obs["perturbation"]
    ]
    dataset = imported(cells)
    assert dataset.obs.pert.levels == ("(+)-JQ1", "control", "drug")
    assert dataset.meta.perturbations == {"(+)-JQ1": [], "drug": []}


def test_a_control_part_of_a_combination_is_dropped(cells: Any, imported: Any) -> None:
    cells.obs["perturbation"] = [
        {"control": "ctrl", "G1": "G1+ctrl", "G2": "ctrl+G2"}.get(p, p) for p in cells.obs["perturbation"]
    ]
    assert imported(cells).obs.pert.levels == ("G1", "G1+G2", "G2", "GX", "control")


def test_doses_are_part_of_the_condition_and_missing_doses_of_controls_are_no_fault(
    cells: Any, imported: Any
) -> None:
    dataset = imported(cells)
    assert dataset.obs.intervention == ("dose",)
    singles = {c.covariates for c in dataset.conditions.table if c.context == "T cell" and c.pert == "G1"}
    assert singles == {("0.1",), ("1",), ("10",)}


def test_a_control_column_goes_before_names(cells: Any, imported: Any) -> None:
    pert = cells.obs["perturbation"]
    cells.obs["is_control"] = np.array([p == "control" for p in pert])
    cells.obs["perturbation"] = [f"NT-{i % 3}" if p == "control" else p for i, p in enumerate(pert)]
    dataset = imported(cells)
    assert int(dataset.obs.is_control.sum()) == pert.count("control")
    assert not [level for level in dataset.obs.pert.levels if level.startswith("NT")]


def test_a_dataset_of_one_context_needs_no_column_and_one_batch_is_noted(cells: Any, imported: Any) -> None:
    del cells.obs["cell_type"], cells.obs["batch"]
    dataset = imported(cells, context="K562")
    assert dataset.obs.context.levels == ("K562",)
    assert "no batch column: all rows are one batch" in dataset.meta.notes


def test_several_columns_make_one_context(cells: Any, imported: Any) -> None:
    dataset = imported(cells, context_column=["cell_type", "batch"])
    assert dataset.obs.context.levels == ("B cell · b1", "B cell · b2", "T cell · b1", "T cell · b2")


def test_deltas_without_controls_are_profiles_without_controls(cells: Any, imported: Any) -> None:
    keep = [i for i, p in enumerate(cells.obs["perturbation"]) if p != "control"]
    cells.X = cells.X[keep] - 3
    cells.ids = [cells.ids[i] for i in keep]
    cells.obs = {
        k: v[keep] if isinstance(v, np.ndarray) else [v[i] for i in keep] for k, v in cells.obs.items()
    }
    cells.uns["x_kind"] = "delta"
    dataset = imported(cells)
    assert (dataset.meta.unit, dataset.meta.x_kind, dataset.meta.matching.rule) == (
        "profile",
        "delta",
        "none",
    )
    assert (dataset.control == -1).all()
    assert set(dataset.meta.pools.modes.values()) == {"none"}
    np.testing.assert_array_equal(dataset.delta(np.arange(5)), dataset.X[:5])


def test_genes_are_chosen_on_pool_a_controls_alone_and_perturbed_genes_are_kept(
    cells: Any, imported: Any
) -> None:
    base = imported(cells, top_hvg=4)
    assert {"G1", "G2"} <= set(base.genes)
    assert len(base.genes) <= 6
    by_name = {name: row for row, name in enumerate(base.cell_ids())}
    pool_a = base.obs.in_pool(Pool.A)
    for row, name in enumerate(cells.ids):
        if not pool_a[by_name[name]]:
            cells.X[row, 1:] = np.random.default_rng(row).poisson(60, 11)
    assert imported(cells, top_hvg=4).genes == base.genes


def test_a_gene_silent_in_pool_a_controls_is_dropped_unless_it_is_perturbed(
    cells: Any, imported: Any
) -> None:
    control = np.array(cells.obs["perturbation"]) == "control"
    cells.X[np.ix_(control, [1, 5])] = 0
    dataset = imported(cells, min_control_cells=1)
    assert "G5" not in dataset.genes
    assert "G1" in dataset.genes


def test_progress_is_told_for_both_passes(cells: Any, write_h5ad: Write, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    import_h5ad(write_h5ad(cells), tmp_path / "out", H5adOptions(), progress=lambda *step: told.append(step))
    assert told == [(240, 240, "scan"), (240, 240, "write")]


def test_columns_of_pandas_nullable_types_are_read(cells: Any, tmp_path: Path) -> None:
    import anndata
    import pandas as pd

    obs = pd.DataFrame(cells.obs, index=cells.ids)
    controls = obs["perturbation"] == "control"
    obs["is_control"] = controls.astype("boolean")
    obs["dose"] = pd.Series(np.where(controls, pd.NA, 3), index=obs.index).astype("Int64")
    adata = anndata.AnnData(cells.X, obs=obs, var=pd.DataFrame(index=cells.genes))
    adata.write_h5ad(tmp_path / "nullable.h5ad")
    dataset = open_dataset(import_h5ad(tmp_path / "nullable.h5ad", tmp_path / "artifact", H5adOptions()))
    assert int(dataset.obs.is_control.sum()) == int(controls.sum())
    assert {c.covariates for c in dataset.conditions.table} == {("3",)}


def test_raw_is_read_with_its_own_genes(cells: Any, write_h5ad: Write, tmp_path: Path) -> None:
    source = write_h5ad(cells)
    whole = open_dataset(import_h5ad(source, tmp_path / "whole", H5adOptions()))
    with h5py.File(source, "r+") as file:
        file.create_group("raw")
        file.move("X", "raw/X")
        file.copy("var", "raw/var")
        file["X"] = np.zeros((240, 2), np.float32)
        del file["var/_index"]
        file["var"].create_dataset("_index", data=["P1", "P2"], dtype=h5py.string_dtype())
    raw = open_dataset(import_h5ad(source, tmp_path / "raw", H5adOptions(layer="raw")))
    assert raw.data_hash == whole.data_hash


def test_cell_ids_that_repeat_are_noted(cells: Any, imported: Any) -> None:
    cells.ids[4] = cells.ids[5] = cells.ids[6]
    assert "2 cell ids repeat an earlier one" in imported(cells).meta.notes


@pytest.mark.parametrize(
    ("kind", "rule"), [("zscore", "cell"), ("log2_expression", "cell"), ("rank", "none"), ("delta", "none")]
)
def test_profiles_are_matched_only_where_a_control_can_be_subtracted(
    cells: Any, imported: Any, kind: str, rule: str
) -> None:
    cells.X = cells.X - 1.5
    dataset = imported(cells, values=kind)
    assert (dataset.meta.unit, dataset.meta.x_kind, dataset.meta.matching.rule) == ("profile", kind, rule)
    assert dataset.counts is None


KILLED = """
import os, signal, sys
from pathlib import Path
from harness.datasets.importers.h5ad import import_h5ad
from harness.datasets.importers.h5ad_options import H5adOptions
def die(done, total, what):
    if what == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
import_h5ad(Path(sys.argv[1]), Path(sys.argv[2]), H5adOptions(), progress=die)
"""


@pytest.mark.parametrize("phase", ["scan", "write"])
def test_an_import_killed_with_signal_9_leaves_nothing_under_its_name_and_the_next_one_sweeps(
    cells: Any, write_h5ad: Write, tmp_path: Path, phase: str
) -> None:
    source, out = write_h5ad(cells, matrix="csc"), tmp_path / "data" / "d"
    child = subprocess.run([sys.executable, "-c", KILLED, str(source), str(out), phase], capture_output=True)
    assert child.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(out.parent.iterdir()), "the hidden half is still there"
    import_h5ad(source, out, H5adOptions())
    assert list(out.parent.iterdir()) == [out]
    verify_content(open_dataset(out))
