"""`PerturbDataset`: one artifact, opened read-only and verified against its hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.datasets.meta import DATASET_META, DatasetMeta, data_hash, meta_hash
from harness.datasets.npy import check_array, open_array
from harness.datasets.obs import Conditions, Covariate, Labels, Obs, Pool, hash_obs
from harness.digest import file_hash
from harness.errors import ChangedError, HarnessError
from harness.storage import read_json

OBS_FILE = "obs.parquet"
POOL_COLUMN = "control_pool"


@dataclass(frozen=True)
class PerturbDataset:
    """Cells × genes, once, on disk; `X_pert`, `X_control` and `delta` are views through the frozen matching."""

    path: Path
    meta: DatasetMeta
    obs: Obs
    X: NDArray[np.float32]  # [rows, genes], memory-mapped
    control: NDArray[
        np.int64
    ]  # [rows]; row of the matched control; −1: no single cell (a delta already, or a mean)
    counts: NDArray[Any] | None  # [rows, genes], memory-mapped
    obsm: Mapping[str, NDArray[np.float32]]  # [rows, dims]
    means: NDArray[np.float32] | None = None  # [groups, genes]; only where the matching rule is `mean`
    mean_of: NDArray[np.int64] | None = None  # [rows]; the group whose mean is a row's control

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def genes(self) -> list[str]:
        return self.meta.genes

    @property
    def data_hash(self) -> str:
        return self.meta.data_hash

    @property
    def n_obs(self) -> int:
        return self.meta.n_obs

    @cached_property
    def conditions(self) -> Conditions:
        return self.obs.conditions()

    def X_pert(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Expression of perturbed rows. [rows, genes]"""
        return np.asarray(self.X[rows])

    def X_control(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Expression of the controls matched to rows; zeros where a row is a delta already. [rows, genes]"""
        if self.means is not None and self.mean_of is not None:
            return np.asarray(self.means[self.mean_of[rows]])
        matched = self.control[rows]
        values = np.asarray(self.X[np.maximum(matched, 0)])
        values[matched < 0] = 0
        return values

    def delta(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """`X_pert − X_control` of rows. [rows, genes]"""
        return self.X_pert(rows) - self.X_control(rows)

    def cell_ids(self) -> NDArray[np.object_]:
        """The source's name of each row. [rows]"""
        return np.asarray(self._table(["cell_id"])["cell_id"].to_numpy())

    def pool_rows(self, context: str, pool: Pool) -> NDArray[np.int64]:
        """The control rows of one context that belong to a pool."""
        return np.flatnonzero(
            self.obs.in_pool(pool) & (self.obs.context.codes == self.obs.context.code(context))
        )

    def _table(self, columns: list[str]) -> pa.Table:
        return pq.read_table(self.path / OBS_FILE, columns=columns)


def open_dataset(path: Path, *, verify: bool = True) -> PerturbDataset:
    """Open an artifact. With `verify` every hash is recomputed and the first that differs is named."""
    meta = read_meta(path)
    if verify:
        verify_files(path, meta)
    obs = _read_obs(path, meta)
    arrays = {file: open_array(path / file, card) for file, card in meta.arrays.items()}
    control, means = np.asarray(arrays["control.npy"]), arrays.get("controls.npy")
    return PerturbDataset(
        path=path,
        meta=meta,
        obs=obs,
        X=arrays["X.npy"],
        control=control if means is None else np.full_like(control, -1),
        counts=arrays.get("counts.npy"),
        obsm={Path(file).stem: array for file, array in arrays.items() if file.startswith("obsm/")},
        means=means,
        mean_of=None if means is None else control,
    )


def read_meta(path: Path) -> DatasetMeta:
    """The card of an artifact, checked against its own hash."""
    if not (path / DATASET_META).is_file():
        raise HarnessError(
            "no dataset here",
            where=path,
            got="no meta.json" if path.is_dir() else "no such folder",
            mend="harness data list shows the datasets; harness data make-synth --preset demo --out DIR makes one",
        )
    document = read_json(path / DATASET_META, "dataset card")
    if isinstance(document, dict) and "meta_hash" in document:
        found = meta_hash(document)
        if found != document["meta_hash"]:
            raise changed(path / DATASET_META, expected=document["meta_hash"], found=found)
    return DatasetMeta.read(document, where=path / DATASET_META)


def verify_files(path: Path, meta: DatasetMeta) -> None:
    """Recompute the hash of every file and of the whole, streaming."""
    for file, card in meta.arrays.items():
        check_array(path / file, card)
    obs_path = path / OBS_FILE
    if not obs_path.is_file():
        raise HarnessError("a file of the dataset is missing", where=obs_path)
    found = file_hash(obs_path)
    if found != meta.obs.file_sha256:
        raise changed(obs_path, expected=meta.obs.file_sha256, found=found)
    whole = data_hash(meta.model_dump(mode="json", by_alias=True))
    if whole != meta.data_hash:
        raise changed(path / DATASET_META, expected=meta.data_hash, found=whole)


def verify_content(dataset: PerturbDataset) -> None:
    """Recompute the content hash of the row table too (slower; `harness data verify`)."""
    ids = dataset._table(["cell_id"])["cell_id"].combine_chunks().cast(pa.string())
    found = hash_obs(dataset.obs, ids)
    if found != dataset.meta.obs.content_sha256:
        raise changed(dataset.path / OBS_FILE, expected=dataset.meta.obs.content_sha256, found=found)


def changed(path: Path, *, expected: object, found: object) -> ChangedError:
    """The refusal of frozen content that is no longer what it was."""
    return ChangedError(
        "frozen content has changed",
        where=path,
        got=found,
        expected=expected,
        mend="restore the file from its source, or import it again under a new name",
    )


def _read_obs(path: Path, meta: DatasetMeta) -> Obs:
    columns = ["pert_id", "context_id", "batch_id", "is_control", POOL_COLUMN, *meta.covariates]
    table = pq.read_table(
        path / OBS_FILE, columns=columns, read_dictionary=["pert_id", "context_id", "batch_id"]
    )
    if table.num_rows != meta.n_obs:
        raise HarnessError(
            "row table and card disagree", where=path / OBS_FILE, got=table.num_rows, expected=meta.n_obs
        )
    covariates: dict[str, Covariate] = {}
    for name, card in meta.covariates.items():
        if card.kind == "label":
            covariates[name] = Labels.of(table[name])
        else:
            covariates[name] = np.asarray(table[name].to_numpy(), np.float64)
    return Obs(
        pert=Labels.of(table["pert_id"]),
        context=Labels.of(table["context_id"]),
        batch=Labels.of(table["batch_id"]),
        pool=np.asarray(table[POOL_COLUMN].to_numpy(), np.uint8),
        is_control=np.asarray(table["is_control"].to_numpy(), np.bool_),
        covariates=covariates,
        intervention=tuple(name for name, card in meta.covariates.items() if card.intervention),
    )
