"""Exports hold exactly what the dataset holds, appear whole or not at all, and are read by other programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pyarrow as pa
import pytest

from harness.datasets import export
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.export import FORMATS, export_h5ad, export_obs_csv, export_simple
from harness.datasets.meta import Preprocessing, Source
from harness.datasets.obs import Labels
from harness.errors import ExistsError

GENES = [f"g{i}" for i in range(7)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> PerturbDataset:
    rng = np.random.default_rng(11)
    n = 120
    pert = np.where(
        np.arange(n) % 2 == 0, "control", np.where(np.arange(n) % 3 == 0, "g1+g2", "drug, strong")
    )
    rows = Rows(
        pert=Labels.of(pert.tolist()),
        context=Labels.of(["A" if i < 70 else "B" for i in range(n)]),
        batch=Labels.of([f"b{i % 3}" for i in range(n)]),
        is_control=pert == "control",
        cell_ids=pa.array([f"cell{i}" for i in range(n)]),
        covariates={"dose": np.where(pert == "control", np.nan, np.arange(n) / 7.0)},
    )
    order = rows.order()
    counts = rng.poisson(2.0, (n, len(GENES))).astype(np.uint16)
    out = tmp_path_factory.mktemp("export") / "toy"
    with build_dataset(
        out,
        name="toy",
        genes=GENES,
        rows=rows.take(order),
        perturbations={"control": [], "g1+g2": ["g1", "g2"], "drug, strong": []},
        preprocessing=Preprocessing(found="counts", steps=["log1p"], gene_space="all"),
        counts_dtype="<u2",
        embeddings={"X_two": 2},
        source=Source(license="not stated", citation="made up for a test"),
        notes=["a note"],
    ) as arrays:
        arrays.X[...] = np.log1p(counts)
        assert arrays.counts is not None
        arrays.counts[...] = counts
        arrays.obsm["X_two"][...] = rng.normal(size=(n, 2))
    return open_dataset(out)


@pytest.fixture(params=[1, 1000, 1 << 25], ids=["a row a block", "some rows a block", "one block"])
def any_block_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("any_block_size")
def test_the_simple_form_holds_the_three_views_and_the_rows(dataset: PerturbDataset, tmp_path: Path) -> None:
    export_simple(dataset, tmp_path / "simple")
    rows = np.arange(dataset.n_obs)
    with np.load(tmp_path / "simple" / "data.npz", allow_pickle=False) as data:
        assert sorted(data.files) == ["X_control", "X_pert", "delta", "obs_idx"]
        np.testing.assert_array_equal(data["X_pert"], dataset.X)
        np.testing.assert_array_equal(data["X_control"], dataset.X_control(rows))
        np.testing.assert_array_equal(data["delta"], data["X_pert"] - data["X_control"])
        np.testing.assert_array_equal(data["obs_idx"], rows)
    meta = json.loads((tmp_path / "simple" / "meta.json").read_text())
    assert meta["var"]["gene"] == GENES
    assert meta["obs"]["pert_id"] == dataset.obs.pert.names().tolist()
    assert meta["metadata"]["data_hash"] == dataset.data_hash


def test_an_unknown_dose_is_null_in_the_simple_form(dataset: PerturbDataset, tmp_path: Path) -> None:
    export_simple(dataset, tmp_path / "simple")
    doses = json.loads((tmp_path / "simple" / "meta.json").read_text())["obs"]["dose"]
    assert [dose is None for dose in doses] == dataset.obs.is_control.tolist()


def test_the_simple_form_of_the_same_dataset_is_the_same_bytes(
    dataset: PerturbDataset, tmp_path: Path
) -> None:
    export_simple(dataset, tmp_path / "one")
    export_simple(dataset, tmp_path / "two")
    assert (tmp_path / "one" / "data.npz").read_bytes() == (tmp_path / "two" / "data.npz").read_bytes()


@pytest.mark.usefixtures("any_block_size")
def test_the_h5ad_is_read_by_anndata_with_every_value_in_place(
    dataset: PerturbDataset, tmp_path: Path
) -> None:
    export_h5ad(dataset, tmp_path / "toy.h5ad")
    data = anndata.read_h5ad(tmp_path / "toy.h5ad")
    np.testing.assert_array_equal(data.X, dataset.X)
    np.testing.assert_array_equal(data.layers["counts"], dataset.counts)
    np.testing.assert_array_equal(data.obsm["X_two"], dataset.obsm["X_two"])
    assert list(data.var_names) == GENES
    assert list(data.obs_names) == dataset.cell_ids().tolist()
    assert list(data.obs["pert_id"]) == dataset.obs.pert.names().tolist()
    assert set(data.obs["pert_genes"]) == {"", "g1+g2"}
    assert data.uns["data_hash"] == dataset.data_hash
    assert data.uns["source"]["citation"] == "made up for a test"


def test_the_row_table_as_csv_keeps_names_with_commas(dataset: PerturbDataset, tmp_path: Path) -> None:
    export_obs_csv(dataset, tmp_path / "obs.csv")
    with (tmp_path / "obs.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["pert_id"] for row in rows] == dataset.obs.pert.names().tolist()
    assert [int(row["control_pool"]) for row in rows] == dataset.obs.pool.tolist()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_tells_how_far_it_is(form: str, dataset: PerturbDataset, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    FORMATS[form][0](dataset, tmp_path / "out", lambda done, of: told.append((done, of)))
    assert told[-1][0] == told[-1][1] > 0


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_never_writes_over_what_is_there(
    form: str, dataset: PerturbDataset, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ExistsError):
        FORMATS[form][0](dataset, tmp_path / "out", None)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("form", ["simple", "h5ad"])
def test_an_export_that_breaks_leaves_nothing(form: str, dataset: PerturbDataset, tmp_path: Path) -> None:
    def full_disk(done: int, of: int) -> None:
        raise OSError("no space left on device")

    write: Callable[..., None] = FORMATS[form][0]
    with pytest.raises(OSError, match="no space"):
        write(dataset, tmp_path / "out", full_disk)
    assert list(tmp_path.iterdir()) == []
