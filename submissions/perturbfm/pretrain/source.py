"""Where cells come from: a memory-mapped table, and a file that lists the rows which may be seen."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sdk import Task
from perturbfm.pretrain.refusal import RefusedError

ROWS_FILE = "rows.i64"
"""Little-endian 64-bit row numbers, one after the other."""
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Provenance:
    """What a checkpoint says of the cells behind it."""

    dataset: str
    """Hash of the data."""
    name: str
    splits: Mapping[str, str]
    """Frozen splits whose hidden rows were left out, name by hash; empty where all rows were seen."""
    roles: list[str]
    """Labels that the rows carry: `train`, and `val` in a task that asks about test conditions."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Artifacts whose cells were left out, name by hash."""
    all_rows: bool = False


@dataclass(frozen=True)
class Source:
    """Cells to learn from."""

    genes: list[str]
    X: NDArray[np.float32]  # [all rows, genes], memory-mapped
    rows: NDArray[np.int64]  # [allowed rows], ascending, memory-mapped
    rows_hash: str
    provenance: Provenance
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that may not be seen, by reason."""

    def __len__(self) -> int:
        return len(self.rows)

    def cells(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Allowed cells by place among the allowed. [places, genes]"""
        return np.asarray(self.X[self.rows[places]], np.float32)


def task_source(folder: Path, out: Path) -> Source:
    """The training table of a task folder: what is hidden was never put there."""
    task = Task(folder)
    card = task.card
    if card.get("input_format") == "h5ad":
        raise RefusedError(
            "a task in h5ad form cannot be streamed",
            where=folder,
            expected="a task folder with train/X.npy",
            mend="build the task without --format h5ad",
        )
    X = np.load(folder / "train" / "X.npy", mmap_mode="r")
    rows, digest = write_rows(out, iter([np.arange(len(X))]))
    provenance = Provenance(
        card["dataset"]["hash"],
        card["dataset"]["name"],
        {card["split"]["hash"]: card["split"]["name"]},
        ["train", "val"] if task.eval_split == "test" else ["train"],
    )
    return Source(task.genes, X, rows, digest, provenance)


def write_rows(out: Path, blocks: Iterable[NDArray[np.int64]]) -> tuple[NDArray[np.int64], str]:
    """Keep the allowed rows in a file and map it, so that memory does not grow with them. Returns their hash too."""
    out.mkdir(parents=True, exist_ok=True)
    partial = out / f".{ROWS_FILE}.{os.getpid()}.partial"
    sha, n = hashlib.sha256(), 0
    try:
        with partial.open("wb") as handle:
            for block in blocks:
                content = np.ascontiguousarray(block, "<i8").tobytes()
                handle.write(content)
                sha.update(content)
                n += len(block)
        os.replace(partial, out / ROWS_FILE)
    finally:
        partial.unlink(missing_ok=True)
    rows = np.memmap(out / ROWS_FILE, "<i8", "r") if n else np.zeros(0, np.int64)
    return rows, sha.hexdigest()


def read_card(path: Path) -> dict[str, Any]:
    """The card of an artifact."""
    try:
        card = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        card["data_hash"], card["n_obs"], card["genes"]
    except (OSError, ValueError, KeyError) as error:
        raise RefusedError(
            "neither a dataset nor a task folder",
            where=path,
            got=f"{type(error).__name__}: {error}",
            expected="a folder with meta.json and X.npy, or with task.json",
            mend="harness data list shows the datasets",
        ) from None
    return dict(card)
