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

from harness.datasets.dataset import OBS_FILE, POOL_COLUMN, open_dataset
from harness.datasets.echo import refuse_echo
from harness.datasets.matching import group_mean, match_cells, match_means, match_pairs
from harness.datasets.meta import (
    DATASET_META,
    ArrayCard,
    CovariateCard,
    DatasetMeta,
    Matching,
    MatchingRule,
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

CHECK_ROWS = 4096
RESERVED = frozenset(
    ("row", "cell_id", "pert_id", "pert_genes", "context_id", "batch_id", "is_control", "role", "control_row")
).union((POOL_COLUMN,))


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

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """One table after the other; all have the same covariates."""
        first = parts[0]
        return cls(
            Labels.join([part.pert for part in parts]),
            Labels.join([part.context for part in parts]),
            Labels.join([part.batch for part in parts]),
            np.concatenate([part.is_control for part in parts]),
            pa.concat_arrays([part.cell_ids for part in parts]),
            {name: _joined([part.covariates[name] for part in parts]) for name in first.covariates},
            first.intervention,
        )

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

    def compact(self) -> Rows:
        """One form per content: no unused names, one NaN, one zero, plain text ids, covariates in order of name."""
        ids = self.cell_ids
        ids = (ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids).cast(pa.string())
        return Rows(
            self.pert.compact(),
            self.context.compact(),
            self.batch.compact(),
            self.is_control,
            ids,
            {
                name: column.compact() if isinstance(column, Labels) else _one_nan(column)
                for name, column in sorted(self.covariates.items())
            },
            tuple(sorted(self.intervention)),
        )

    def to_obs(self, pool: NDArray[np.uint8]) -> Obs:
        """The table with its control pools."""
        return Obs(
            self.pert,
            self.context,
            self.batch,
            pool,
            self.is_control,
            dict(self.covariates),
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
    matching: MatchingRule | None = None,
    paired: NDArray[np.int64] | None = None,
    echo_check: bool = True,
) -> Iterator[Arrays]:
    """Yield the arrays to fill; when the block ends the artifact is frozen and appears at `out`.

    `rows` must be in artifact order (`Rows.order`). `matching` is by default `none` for deltas and `cell` for all else;
    `paired` gives the control row of each row for the rule `paired`. An artifact whose controls answer for themselves is
    refused (`echo_check`). On any error nothing appears.
    """
    rows = rows.compact()
    _check_genes(genes)
    _check_rows(rows, control_label)
    shape = (len(rows.is_control), len(genes))
    rule: MatchingRule = matching or ("none" if x_kind == "delta" else "cell")
    with new_folder(out, kind="dataset") as folder:
        arrays = _create_arrays(folder, shape, counts_dtype, embeddings or {})
        yield arrays
        _refuse_not_finite(arrays)
        pool, modes = deal_controls(rows.context, rows.batch, rows.is_control, seed, shared=rule == "paired")
        obs = rows.to_obs(pool)
        targets = {key: list(perturbations.get(key, [])) for key in rows.pert.levels if key != control_label}
        _write_obs(folder / OBS_FILE, obs, rows.cell_ids, targets)
        _freeze(
            folder,
            {
                "name": name,
                "title": title,
                "unit": unit,
                "x_kind": x_kind,
                "n_obs": shape[0],
                "n_vars": shape[1],
                "genes": list(genes),
                "control_label": control_label,
                "perturbations": targets,
                "covariates": _covariate_cards(rows),
                "preprocessing": preprocessing,
                "source": source or Source(),
                "matching": Matching(rule=rule, seed=seed),
                "pools": Pools(seed=seed, modes=modes),
                "arrays": _array_cards(arrays) | _write_controls(folder, obs, arrays.X, rule, seed, paired),
                "obs": ObsCard(
                    content_sha256=hash_obs(obs, rows.cell_ids), file_sha256=file_hash(folder / OBS_FILE)
                ),
                "notes": list(notes),
            },
        )
        if echo_check:
            refuse_echo(open_dataset(folder, verify=False), where=out)


def _freeze(folder: Path, fields: dict[str, Any]) -> None:
    """Write the card with its two hashes."""
    meta = DatasetMeta(**fields, data_hash="", meta_hash="")
    document: dict[str, Any] = meta.model_dump(mode="json", by_alias=True)
    document["data_hash"] = data_hash(document)
    document["meta_hash"] = meta_hash(document)
    write_json(folder / DATASET_META, document)


def _create_arrays(
    folder: Path, shape: tuple[int, int], counts_dtype: str | None, embeddings: Mapping[str, int]
) -> Arrays:
    return Arrays(
        X=create_array(folder / "X.npy", "<f4", shape),
        counts=None if counts_dtype is None else create_array(folder / "counts.npy", counts_dtype, shape),
        obsm={
            key: create_array(folder / "obsm" / f"{key}.npy", "<f4", (shape[0], width))
            for key, width in embeddings.items()
        },
    )


def _array_cards(arrays: Arrays) -> dict[str, ArrayCard]:
    cards = {"X.npy": card_of(arrays.X)}
    if arrays.counts is not None:
        cards["counts.npy"] = card_of(arrays.counts)
    return cards | {f"obsm/{key}.npy": card_of(array) for key, array in arrays.obsm.items()}


def _write_controls(
    folder: Path,
    obs: Obs,
    X: NDArray[np.float32],
    rule: MatchingRule,
    seed: int,
    paired: NDArray[np.int64] | None,
) -> dict[str, ArrayCard]:
    """`control.npy`, and `controls.npy` where the rule matches to means."""
    control = create_array(folder / "control.npy", "<i8", (len(obs),))
    cards: dict[str, ArrayCard] = {}
    if rule == "none":
        control[...] = -1
    elif rule == "cell":
        control[...] = match_cells(obs, seed)
    elif rule == "mean":
        groups = match_means(obs)
        control[...] = groups.of_row
        means = create_array(folder / "controls.npy", "<f4", (len(groups.members), X.shape[1]))
        for group, members in enumerate(groups.members):
            means[group] = group_mean(X, members)
        cards["controls.npy"] = card_of(means)
    elif paired is None:
        raise HarnessError("the rule `paired` needs the control row of each row")
    else:
        control[...] = match_pairs(obs, paired)
    return cards | {"control.npy": card_of(control)}


def _refuse_not_finite(arrays: Arrays) -> None:
    for label, array in (("X", arrays.X), *((f"obsm/{key}", value) for key, value in arrays.obsm.items())):
        for start in range(0, len(array), CHECK_ROWS):
            block = array[start : start + CHECK_ROWS]
            if not np.isfinite(block.sum(dtype=np.float64)) and not np.isfinite(block).all():
                row, column = (int(i) for i in np.argwhere(~np.isfinite(block))[0])
                raise HarnessError(
                    f"{label} holds a value that is not finite",
                    where=f"row {start + row}, column {column}",
                    got=float(block[row, column]),
                    expected="finite numbers",
                    mend="mend the value in the source, or leave the row out",
                )


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


def _joined(columns: Sequence[Covariate]) -> Covariate:
    labels = [column for column in columns if isinstance(column, Labels)]
    if labels:
        return Labels.join(labels)
    return np.concatenate([column for column in columns if not isinstance(column, Labels)])


def _one_nan(column: NDArray[Any]) -> NDArray[np.float64]:
    values = np.asarray(column, np.float64) + 0.0
    values[np.isnan(values)] = np.nan
    return values


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
    if rows.cell_ids.null_count:
        raise HarnessError(f"{rows.cell_ids.null_count} rows have no cell id")
    refuse_unprintable(rows.cell_ids.to_pylist())
    refuse_unprintable(rows.covariates)
    taken = sorted(RESERVED.intersection(rows.covariates))
    if taken:
        raise HarnessError(
            "covariates bear names of the row table",
            got=", ".join(taken),
            expected=f"none of {', '.join(sorted(RESERVED))}",
            mend="rename these columns",
        )
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
