"""A small source of cells, written as h5ad in every encoding, and a small artifact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels


@dataclass
class Cells:
    """A source: counts and columns."""

    X: np.ndarray
    genes: list[str]
    obs: dict[str, Any]
    ids: list[str]
    uns: dict[str, str] = field(default_factory=dict)
    layers: dict[str, np.ndarray] = field(default_factory=dict)


@pytest.fixture
def cells() -> Cells:
    """240 cells of two contexts and two batches, counts of 12 genes, singles and one combination."""
    rng = np.random.default_rng(7)
    n = 240
    X = rng.poisson(1.5, (n, 12)) * rng.integers(0, 3, (n, 12))
    X[:, 0] += 1
    pert = rng.choice(["control", "G1", "G2", "G2+G1", "G1+G2", "GX"], n, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    obs = {
        "perturbation": pert.tolist(),
        "cell_type": rng.choice(["T cell", "B cell"], n).tolist(),
        "batch": rng.choice(["b1", "b2"], n).tolist(),
        "dose": np.where(pert == "control", np.nan, rng.choice([0.1, 1.0, 10.0], n)),
        "n_genes": rng.integers(1, 9, n),
    }
    return Cells(X.astype(np.float32), [f"G{i}" for i in range(12)], obs, [f"cell-{i}" for i in range(n)])


@pytest.fixture
def write_h5ad(tmp_path: Path) -> Callable[..., Path]:
    """Writes cells as `.h5ad`: `matrix` csr, csc or dense; `table` categorical, strings, legacy or compound."""

    def write(cells: Cells, *, matrix: str = "csr", table: str = "categorical", name: str = "source") -> Path:
        path = tmp_path / f"{name}-{matrix}-{table}.h5ad"
        with h5py.File(path, "w") as file:
            _write_matrix(file, "X", cells.X, matrix)
            for layer, values in cells.layers.items():
                _write_matrix(file, f"layers/{layer}", values, matrix)
            for key, value in cells.uns.items():
                file[f"uns/{key}"] = value
            _WRITERS[table](file, "obs", cells.ids, cells.obs)
            _WRITERS[table](file, "var", cells.genes, {})
        return path

    return write


@pytest.fixture
def small_artifact(tmp_path: Path) -> Path:
    """An artifact with every kind of file: X, counts, an embedding, controls, a number and a label covariate."""
    return build_small(tmp_path / "small")


def build_small(out: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(3)
    n = 120
    pert = np.where(rng.random(n) < 0.5, "control", rng.choice(["A", "A+B"], n))
    rows = Rows(
        Labels.of(pert),
        Labels.of(rng.choice(["x", "y"], n)),
        Labels.of(rng.choice(["b1", "b2"], n)),
        pert == "control",
        pa.array([f"cell{i}" for i in range(n)]),
        {"dose": rng.random(n), "donor": Labels.of(rng.choice(["u", "v"], n))},
        ("dose",),
    )
    told: dict[str, Any] = {
        "name": "small",
        "genes": ["A", "B", "C"],
        "rows": rows.take(rows.order()),
        "perturbations": {"A": ["A"], "A+B": ["A", "B"]},
        "preprocessing": Preprocessing(found="counts", steps=["log1p"], gene_space="all"),
        "counts_dtype": "<u1",
        "embeddings": {"X_pca": 2},
    }
    with build_dataset(out, **told | changes) as arrays:
        arrays.X[...] = rng.random((n, 3))
        if arrays.counts is not None:
            arrays.counts[...] = rng.integers(0, 200, (n, 3))
        for array in arrays.obsm.values():
            array[...] = rng.random(array.shape)
    return out


@pytest.fixture
def build() -> Callable[..., Path]:
    """Builds the small artifact, with changes to what it is built from."""
    return build_small


def _write_matrix(file: h5py.File, key: str, values: np.ndarray, kind: str) -> None:
    if kind == "dense":
        file[key] = values
        file[key].attrs["encoding-type"] = "array"
        return
    matrix = sparse.csr_matrix(values) if kind == "csr" else sparse.csc_matrix(values)
    group = file.create_group(key)
    group.attrs["encoding-type"], group.attrs["shape"] = f"{kind}_matrix", np.array(matrix.shape)
    for part in ("data", "indices", "indptr"):
        group[part] = getattr(matrix, part)


def _codes(values: list[str]) -> tuple[np.ndarray, list[str]]:
    levels = sorted({v for v in values if v is not None}, reverse=True)
    return np.array([-1 if v is None else levels.index(v) for v in values], np.int8), levels


def _text(group: h5py.Group, name: str, values: list[str]) -> None:
    group.create_dataset(name, data=values, dtype=h5py.string_dtype())


def _write_group(file: h5py.File, key: str, index: list[str], columns: dict[str, Any], how: str) -> None:
    group = file.create_group(key)
    group.attrs["_index"] = "_index"
    _text(group, "_index", index)
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            group[name] = values
        elif how == "strings":
            _text(group, name, ["" if v is None else v for v in values])
        elif how == "legacy":
            codes, levels = _codes(values)
            group[name] = codes
            _text(group.require_group("__categories"), name, levels)
            group[name].attrs["categories"] = group["__categories"][name].ref
        else:
            codes, levels = _codes(values)
            column = group.create_group(name)
            column["codes"] = codes
            _text(column, "categories", levels)


def _write_compound(file: h5py.File, key: str, index: list[str], columns: dict[str, Any]) -> None:
    fields: list[tuple[str, Any]] = [("index", "S20")]
    data: dict[str, Any] = {"index": np.array(index, "S20")}
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            fields.append((name, values.dtype))
            data[name] = values
        else:
            codes, levels = _codes(values)
            fields.append((name, "i1"))
            data[name] = codes
            file[f"uns/{name}_categories"] = np.array(levels, "S20")
    table = np.empty(len(index), fields)
    for name, values in data.items():
        table[name] = values
    file[key] = table


_WRITERS: dict[str, Callable[..., None]] = {
    **{how: lambda *args, how=how: _write_group(*args, how) for how in ("categorical", "strings", "legacy")},
    "compound": _write_compound,
}
