"""An artifact as a source: rows without a hidden role, pool-A controls, cells that are in no excluded artifact."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perturbfm.pretrain.refusal import RefusedError
from perturbfm.pretrain.source import BLOCK_ROWS, Provenance, Source, read_card, write_rows
from perturbfm.pretrain.splits import ALLOWED, FrozenSplit

POOL_A = 1
HIDDEN = ("val", "calib", "test", "iid")


def artifact_source(
    path: Path,
    out: Path,
    splits: Sequence[FrozenSplit],
    *,
    excluded: Sequence[Path] = (),
    only: NDArray[np.int64] | None = None,
    all_rows: bool = False,
) -> Source:
    """The rows of an artifact that every split has in training. `only` narrows them, and may name no other row.

    Without a split nothing is known to be hidden, and it is refused unless `all_rows` says that nothing is.
    """
    card = read_card(path)
    _check_splits(path, card, splits, all_rows)
    X = np.load(path / "X.npy", mmap_mode="r")
    cells = ExcludedCells.of(excluded, card["genes"]) if excluded else None
    counted: Counter[str] = Counter()
    wanted = None if only is None else _wanted(only, card["n_obs"], path)
    rows, digest = write_rows(out, _allowed(path, X, splits, cells, wanted, counted))
    if not len(rows):
        raise RefusedError("no row is left to learn from", where=path, got=_told(counted))
    names = {split.hash: split.name for split in splits}
    provenance = Provenance(
        card["data_hash"], card["name"], names, [ALLOWED], cells.names if cells else {}, all_rows
    )
    return Source(card["genes"], X, rows, digest, provenance, dict(counted))


def _check_splits(path: Path, card: dict[str, Any], splits: Sequence[FrozenSplit], all_rows: bool) -> None:
    if not splits and not all_rows:
        raise RefusedError(
            "which rows are hidden is not known",
            where=path,
            got="no split",
            expected="every split that a model will be judged on, so that none of its hidden rows is seen",
            mend="give --split, or --all-rows for data that nothing is ever judged on",
        )
    for split in splits:
        if (split.dataset, split.n_obs) != (card["data_hash"], card["n_obs"]):
            raise RefusedError(
                f"split {split.name!r} was frozen over other data",
                where=path,
                got=f"{card['n_obs']} rows, {card['data_hash']}",
                expected=f"{split.n_obs} rows, {split.dataset}",
                mend="use the data of the split",
            )


def _wanted(only: NDArray[np.int64], n: int, path: Path) -> NDArray[np.int64]:
    rows = np.unique(only)
    if rows.dtype.kind not in "iu" or (len(rows) and (rows[0] < 0 or rows[-1] >= n)):
        raise RefusedError(
            "rows that the data do not have", where=path, got=only.dtype, expected=f"0 … {n - 1}"
        )
    return rows.astype(np.int64)


def _allowed(
    path: Path,
    X: NDArray[np.float32],
    splits: Sequence[FrozenSplit],
    cells: ExcludedCells | None,
    wanted: NDArray[np.int64] | None,
    counted: Counter[str],
) -> Iterator[NDArray[np.int64]]:
    """The rows that may be seen, a block at a time; at the end, a refusal of wanted rows that may not."""
    refused: Counter[str] = Counter()
    first: list[int] = []
    for start, stop, is_control, pool, ids in obs_blocks(path, with_ids=cells is not None):
        why = _reasons(start, stop, is_control, pool, splits)
        if cells is not None:
            why[(why == "") & cells.holds(ids, X[start:stop])] = "cell of an excluded artifact"
        asked = np.ones(stop - start, np.bool_)
        if wanted is not None:
            asked = np.zeros(stop - start, np.bool_)
            asked[wanted[np.searchsorted(wanted, start) : np.searchsorted(wanted, stop)] - start] = True
            bad = asked & (why != "")
            refused.update(why[bad].tolist())
            first += (np.flatnonzero(bad)[:5] + start).tolist()
        counted.update(why[why != ""].tolist())
        yield np.flatnonzero(asked & (why == "")) + start
    if refused:
        raise RefusedError(
            f"{refused.total()} of the rows may not be seen",
            where=path,
            got=f"{_told(refused)}; first {first[:5]}",
            expected="rows of role train, perturbed or controls of pool A",
            mend="take them out of --rows, or leave --rows away: then all allowed rows are used",
        )


def _reasons(
    start: int,
    stop: int,
    is_control: NDArray[np.bool_],
    pool: NDArray[np.uint8],
    splits: Sequence[FrozenSplit],
) -> NDArray[np.object_]:
    """Why each row of a block is not seen; empty where it is."""
    why = np.full(stop - start, "", object)
    why[is_control & ((pool & POOL_A) == 0)] = "control that truth is measured against"
    for split in splits:
        why[(why == "") & ~split.allowed(start, stop)] = "set aside"
        for role in HIDDEN:
            hidden = split.role(role, start, stop)
            why[hidden & ((why == "") | (why == "set aside"))] = f"hidden role {role}"
    return why


def obs_blocks(
    path: Path, *, with_ids: bool
) -> Iterator[tuple[int, int, NDArray[np.bool_], NDArray[np.uint8], list[str]]]:
    """What is known of rows, a block at a time: bounds, `is_control`, the control pool, and names where they are wanted."""
    columns = ["is_control", "control_pool", *(["cell_id"] if with_ids else [])]
    start = 0
    with pq.ParquetFile(path / "obs.parquet") as file:
        for batch in file.iter_batches(BLOCK_ROWS, columns=columns):
            ids = batch.column("cell_id").to_pylist() if with_ids else []
            is_control, pool = (
                batch.column(name).to_numpy(zero_copy_only=False) for name in ("is_control", "control_pool")
            )
            yield start, start + len(batch), is_control.astype(np.bool_), pool.astype(np.uint8), ids
            start += len(batch)


class ExcludedCells:
    """Cells of artifacts that must not be seen, known by the hash of their name and of their content."""

    def __init__(self, hashes: NDArray[np.uint64], names: dict[str, str], by_content: bool) -> None:
        self.hashes, self.names, self.by_content = hashes, names, by_content

    @classmethod
    def of(cls, paths: Sequence[Path], genes: list[str]) -> ExcludedCells:
        """Hash every cell; its content too, where the genes are the same."""
        found, names, by_content = [], {}, False
        for path in paths:
            card = read_card(path)
            names[card["data_hash"]] = card["name"]
            X = np.load(path / "X.npy", mmap_mode="r") if card["genes"] == genes else None
            by_content |= X is not None
            for start, stop, *_, ids in obs_blocks(path, with_ids=True):
                found.append(_hashes(name.encode() for name in ids))
                if X is not None:
                    found.append(_content(X[start:stop]))
        return cls(np.unique(np.concatenate(found)), names, by_content)

    def holds(self, ids: list[str], X: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which cells are among them. [cells]"""
        found = np.isin(_hashes(name.encode() for name in ids), self.hashes)
        return found | np.isin(_content(X), self.hashes) if self.by_content else found


def _content(X: NDArray[np.float32]) -> NDArray[np.uint64]:
    return _hashes(np.ascontiguousarray(X[i]).tobytes() for i in range(len(X)))


def _hashes(parts: Iterator[bytes] | Any) -> NDArray[np.uint64]:
    digests = b"".join(hashlib.blake2b(part, digest_size=8).digest() for part in parts)
    return np.frombuffer(digests, "<u8")


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{n} of {why}" for why, n in sorted(counted.items())) or "no rows"
