"""Writing a dataset in forms that other programs read. Rows are streamed, so memory stays bounded by a block."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.datasets.dataset import OBS_FILE, PerturbDataset
from harness.datasets.npy import npy_header
from harness.datasets.progress import Progress
from harness.storage import new_folder, refuse_existing, write_json

BLOCK_BYTES = 32 << 20
GENE_JOIN = "+"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time stamp of every member, so that equal content is an equal file."""


def export_obs_csv(dataset: PerturbDataset, out: Path, on_progress: Progress | None = None) -> None:
    """The row table as CSV; target genes joined by `+`."""
    with _new_file(out) as partial:
        pyarrow.csv.write_csv(row_table(dataset), partial)
    _tell(on_progress, dataset.n_obs, dataset.n_obs)


def export_simple(dataset: PerturbDataset, out: Path, on_progress: Progress | None = None) -> None:
    """A folder of two files: `data.npz` (X_control, X_pert, delta, obs_idx) and `meta.json` (obs, var, metadata).

    There is one entry for each row of the dataset, in its order; controls are marked in `obs` by `is_control`, and
    their X_pert is the cell itself.
    """
    views: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float32]]] = {
        "X_control": dataset.X_control,
        "X_pert": dataset.X_pert,
        "delta": dataset.delta,
    }
    done = 0
    with new_folder(out, kind="export") as folder:
        with zipfile.ZipFile(folder / "data.npz", "w", zipfile.ZIP_STORED) as archive:
            for name, view in views.items():
                with _member(archive, name) as member:
                    member.write(npy_header("<f4", (dataset.n_obs, len(dataset.genes))))
                    for rows in blocks(dataset):
                        member.write(np.ascontiguousarray(view(rows), "<f4").data)
                        done += len(rows)
                        _tell(on_progress, done, len(views) * dataset.n_obs)
            with _member(archive, "obs_idx") as member:
                member.write(npy_header("<i8", (dataset.n_obs,)))
                member.write(np.arange(dataset.n_obs, dtype="<i8").data)
        write_json(
            folder / "meta.json",
            {
                "obs": _json_columns(row_table(dataset).drop_columns(["row"])),
                "var": {"gene": dataset.genes},
                "metadata": facts(dataset),
            },
        )


def export_h5ad(dataset: PerturbDataset, out: Path, on_progress: Progress | None = None) -> None:
    """An `.h5ad` file: X as it is stored, raw counts as `layers/counts`, embeddings as `obsm`."""
    import anndata
    import h5py

    obs = row_table(dataset).to_pandas().set_index("cell_id")
    var = pa.table({"gene": dataset.genes}).to_pandas().set_index("gene")
    obs.index.name = var.index.name = None
    for column in ("pert_id", "context_id", "batch_id"):
        obs[column] = obs[column].astype("category")
    arrays: dict[str, NDArray[Any]] = {"X": dataset.X}
    if dataset.counts is not None:
        arrays["layers/counts"] = dataset.counts
    arrays |= {f"obsm/{name}": array for name, array in dataset.obsm.items()}
    with _new_file(out) as partial:
        frame = anndata.AnnData(obs=obs, var=var)
        frame.uns.update(facts(dataset))
        frame.write_h5ad(partial)
        done, total = 0, len(arrays) * dataset.n_obs
        with h5py.File(partial, "r+") as file:
            for key, array in arrays.items():
                if key in file:
                    del file[key]
                target = file.create_dataset(
                    key, array.shape, array.dtype, chunks=_chunk(array), compression="lzf", shuffle=True
                )
                target.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
                for rows in blocks(dataset):
                    target[rows[0] : rows[-1] + 1] = array[rows[0] : rows[-1] + 1]
                    done += len(rows)
                    _tell(on_progress, done, total)


FORMATS: dict[str, tuple[Callable[[PerturbDataset, Path, Progress | None], None], str]] = {
    "simple": (export_simple, "a folder of data.npz and meta.json"),
    "h5ad": (export_h5ad, "an AnnData file"),
    "obs-csv": (export_obs_csv, "the row table as CSV"),
}
"""Format → (its writer, what it leaves)."""


def row_table(dataset: PerturbDataset) -> pa.Table:
    """The row table with plain text columns."""
    table = pq.read_table(dataset.path / OBS_FILE)
    columns = {}
    for name in table.column_names:
        column = table[name]
        if pa.types.is_list(column.type):
            column = pc.binary_join(column, GENE_JOIN)
        elif pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        columns[name] = column
    return pa.table(columns)


def _json_columns(table: pa.Table) -> dict[str, list[Any]]:
    """Columns as lists; JSON knows no NaN, so a number that is not known is null."""
    return {
        name: pc.if_else(pc.is_nan(column), None, column).to_pylist()
        if pa.types.is_floating(column.type)
        else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def facts(dataset: PerturbDataset) -> dict[str, Any]:
    """What a reader of the export must know of where it comes from."""
    meta = dataset.meta
    source = {key: value for key, value in meta.source.model_dump().items() if value is not None}
    return {
        "name": dataset.name,
        "title": meta.title,
        "unit": meta.unit,
        "x_kind": meta.x_kind,
        "control_label": meta.control_label,
        "data_hash": dataset.data_hash,
        "matching": meta.matching.model_dump(),
        "covariates": {name: card.model_dump() for name, card in meta.covariates.items()},
        "preprocessing": {
            key: value for key, value in meta.preprocessing.model_dump().items() if value is not None
        },
        "source": source,
        "notes": list(meta.notes),
    }


def blocks(dataset: PerturbDataset) -> Iterator[NDArray[np.int64]]:
    """All rows in order, in blocks of bounded size."""
    step = max(1, BLOCK_BYTES // max(1, 4 * len(dataset.genes)))
    for start in range(0, dataset.n_obs, step):
        yield np.arange(start, min(start + step, dataset.n_obs), dtype=np.int64)


def _chunk(array: NDArray[Any]) -> tuple[int, int]:
    width = array.shape[1]
    return (max(1, min(len(array), (1 << 20) // max(1, width * array.dtype.itemsize))), width)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str) -> Iterator[Any]:
    info = zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH)
    with archive.open(info, "w", force_zip64=True) as member:
        yield member


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A file that appears under its name only when it is complete."""
    refuse_existing(target, kind="export")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield partial
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _tell(on_progress: Progress | None, done: int, total: int) -> None:
    if on_progress is not None:
        on_progress(done, total)
