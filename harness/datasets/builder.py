"""Building an artifact: rows in order, pools dealt, controls matched, everything hashed, then one rename."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.datasets.dataset import OBS_FILE, POOL_COLUMN
from harness.datasets.matching import match_cells
from harness.datasets.meta import (
    DATASET_META,
    CovariateCard,
    DatasetMeta,
    Matching,
    ObsCard,
    Pools,
    Preprocessing,
    Source,
    Unit,
    XKind,
    data_hash,
    meta_hash,
)
from harness.datasets.npy import card_of, create_array
from harness.datasets.obs import Covariate, Labels, Obs, hash_obs, refuse_unprintable
from harness.datasets.pools import deal_controls
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.storage import new_folder, write_json


@dataclass(frozen=True)
class Rows:
    """What the source says of its rows, in the source's order."""

    pert: Labels
    context: Labels
    batch: Labels
    is_control: NDArray[np.bool_]
    cell_ids: pa.Array
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    intervention: tuple[str, ...] = ()

    def order(self) -> NDArray[np.int64]:
        """Artifact order: sorted by (context, perturbation), source order within, so that a group is one block on disk."""
        return np.lexsort((self.pert.codes, self.context.codes)).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """The same table with rows in another order, or fewer."""
        return Rows(
            self.pert.take(rows),
            self.context.take(rows),
            self.batch.take(rows),
            self.is_control[rows],
            self.cell_ids.take(pa.array(rows)),
            {
                name: column.take(rows) if isinstance(column, Labels) else column[rows]
                for name, column in self.covariates.items()
            },
            self.intervention,
        )


@dataclass(frozen=True)
class Arrays:
    """The arrays of an artifact that is being built, to be filled in artifact order."""

    X: NDArray[np.float32]  # [rows, genes]
    counts: NDArray[Any] | None  # [rows, genes]
    obsm: Mapping[str, NDArray[np.float32]]


@contextmanager
def build_dataset(
    out: Path,
    *,
    name: str,
    genes: Sequence[str],
    rows: Rows,
    perturbations: Mapping[str, list[str]],
    preprocessing: Preprocessing,
    title: str = "",
    unit: Unit = "cell",
    x_kind: XKind = "log_normalised",
    control_label: str = "control",
    counts_dtype: str | None = None,
    embeddings: Mapping[str, int] | None = None,
    source: Source | None = None,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Iterator[Arrays]:
    """Yield the arrays to fill; when the block ends the artifact is frozen and appears at `out`.

    `rows` must be in artifact order (`Rows.order`). On any error nothing appears.
    """
    _check_genes(genes)
    _check_rows(rows, control_label)
    shape = (len(rows.is_control), len(genes))
    with new_folder(out, kind="dataset") as folder:
        arrays = Arrays(
            X=create_array(folder / "X.npy", "<f4", shape),
            counts=None if counts_dtype is None else create_array(folder / "counts.npy", counts_dtype, shape),
            obsm={
                key: create_array(folder / "obsm" / f"{key}.npy", "<f4", (shape[0], width))
                for key, width in (embeddings or {}).items()
            },
        )
        yield arrays
        pool, modes = deal_controls(rows.context, rows.batch, rows.is_control, seed)
        obs = Obs(
            rows.pert,
            rows.context,
            rows.batch,
            pool,
            rows.is_control,
            dict(rows.covariates),
            rows.intervention,
        )
        control = create_array(folder / "control.npy", "<i8", (shape[0],))
        matching = Matching(rule="none" if x_kind == "delta" else "cell", seed=seed)
        control[...] = -1 if matching.rule == "none" else match_cells(obs, seed)
        cards = {
            "X.npy": card_of(arrays.X),
            "control.npy": card_of(control),
        }
        if arrays.counts is not None:
            cards["counts.npy"] = card_of(arrays.counts)
        for key, array in arrays.obsm.items():
            cards[f"obsm/{key}.npy"] = card_of(array)
        _write_obs(folder / OBS_FILE, obs, rows.cell_ids, perturbations)
        document: dict[str, Any] = DatasetMeta(
            name=name,
            title=title,
            unit=unit,
            x_kind=x_kind,
            n_obs=shape[0],
            n_vars=shape[1],
            genes=list(genes),
            control_label=control_label,
            perturbations={key: list(value) for key, value in perturbations.items()},
            covariates=_covariate_cards(rows),
            preprocessing=preprocessing,
            source=source or Source(),
            matching=matching,
            pools=Pools(seed=seed, modes=modes),
            arrays=cards,
            obs=ObsCard(
                content_sha256=hash_obs(obs, rows.cell_ids), file_sha256=file_hash(folder / OBS_FILE)
            ),
            notes=list(notes),
            data_hash="",
            meta_hash="",
        ).model_dump(mode="json", by_alias=True)
        document["data_hash"] = data_hash(document)
        document["meta_hash"] = meta_hash(document)
        write_json(folder / DATASET_META, document)


def _write_obs(path: Path, obs: Obs, cell_ids: pa.Array, perturbations: Mapping[str, list[str]]) -> None:
    targets = pa.array([perturbations.get(level, []) for level in obs.pert.levels], pa.list_(pa.string()))
    columns: dict[str, pa.Array] = {
        "row": pa.array(np.arange(len(obs))),
        "cell_id": cell_ids,
        "pert_id": obs.pert.to_arrow(),
        "pert_genes": targets.take(pa.array(obs.pert.codes)),
        "context_id": obs.context.to_arrow(),
        "batch_id": obs.batch.to_arrow(),
        "is_control": pa.array(obs.is_control),
        POOL_COLUMN: pa.array(obs.pool),
    }
    for name, column in obs.covariates.items():
        columns[name] = column.to_arrow() if isinstance(column, Labels) else pa.array(column)
    pq.write_table(pa.table(columns), path, compression="zstd")


def _covariate_cards(rows: Rows) -> dict[str, CovariateCard]:
    return {
        name: CovariateCard(
            kind="label" if isinstance(column, Labels) else "number", intervention=name in rows.intervention
        )
        for name, column in rows.covariates.items()
    }


def _check_genes(genes: Sequence[str]) -> None:
    refuse_unprintable(genes)
    values, counts = np.unique(np.array(genes, dtype=str), return_counts=True)
    twice = [str(v) for v in values[counts > 1]]
    if twice:
        raise HarnessError(
            f"{len(twice)} gene name{'s stand' if len(twice) > 1 else ' stands'} more than once",
            got=", ".join(twice[:5]),
            mend="make the gene names unique in the source (e.g. by Ensembl id)",
        )
    if not len(genes):
        raise HarnessError("a dataset needs at least one gene")


def _check_rows(rows: Rows, control_label: str) -> None:
    if not len(rows.is_control):
        raise HarnessError("a dataset needs at least one row")
    labelled = rows.pert.codes == rows.pert.code(control_label)
    if not np.array_equal(labelled, rows.is_control):
        row = int(np.flatnonzero(labelled != rows.is_control)[0])
        raise HarnessError(
            "is_control and pert_id disagree",
            where=f"row {row}",
            got=f"pert_id {rows.pert.levels[rows.pert.codes[row]]!r}, is_control {bool(rows.is_control[row])}",
            expected=f"is_control exactly where pert_id is {control_label!r}",
        )
    if not np.array_equal(rows.order(), np.arange(len(rows.is_control))):
        raise HarnessError("rows are not in artifact order", mend="sort them by Rows.order() first")
