"""Cells for the training job: an artifact with a split, and a task folder, of any number of cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.contract.task import NamedHash
from harness.splits.split import ROLES, freeze
from harness.splits.store import SplitStore

BLOCK = 50_000
HASH = "0" * 64
CONTEXTS, PERTURBATIONS = 10, 20


def blocks(n: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


def write_cells(path: Path, cells: int, genes: int) -> None:
    """An `X.npy` of a few programs and noise, a block at a time."""
    rng = np.random.default_rng(0)
    programs = rng.normal(size=(8, genes)).astype(np.float32)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (cells, genes))
    for start, stop in blocks(cells):
        mixed = rng.normal(size=(stop - start, 8)).astype(np.float32) @ programs
        X[start:stop] = 2 + 0.3 * mixed + rng.normal(size=mixed.shape).astype(np.float32)
    X.flush()


def write_artifact(folder: Path, cells: int, genes: int) -> Path:
    """What `perturbfm pretrain` reads of an artifact; returns its split, which hides the last tenth of the rows."""
    folder.mkdir(parents=True)
    write_cells(folder / "X.npy", cells, genes)
    card = {"name": "many", "data_hash": HASH, "n_obs": cells, "genes": [f"G{i}" for i in range(genes)]}
    (folder / "meta.json").write_text(json.dumps(card))
    fields = [("cell_id", pa.string()), ("is_control", pa.bool_()), ("control_pool", pa.uint8())]
    with pq.ParquetWriter(folder / "obs.parquet", pa.schema(fields)) as writer:
        for start, stop in blocks(cells):
            control = np.arange(start, stop) % 10 == 0
            names = pa.array(np.arange(start, stop)).cast(pa.string())
            writer.write(
                pa.table(
                    [names, pa.array(control), pa.array(control.astype(np.uint8))], schema=pa.schema(fields)
                )
            )
    role = np.where(np.arange(cells) < 0.9 * cells, ROLES.index("train"), ROLES.index("test"))
    split = freeze(
        name="last_tenth",
        dataset=NamedHash(name="many", hash=HASH),
        regime="iid",
        params={},
        seed=0,
        ood_axes=[],
        role_of=role.astype(np.int8),
    )
    return SplitStore(folder.parent / f"{folder.name}-splits").save(split)


def write_task(folder: Path, cells: int, genes: int) -> Path:
    """A task folder: contexts × perturbations, a third of the cells controls."""
    names = [f"G{i}" for i in range(genes)]
    for table, n in (("train", cells), ("query", CONTEXTS)):
        (folder / table).mkdir(parents=True)
        write_cells(folder / table / "X.npy", n, genes)
    per = cells // CONTEXTS
    columns = ["row", "pert_id", "pert_genes", "context_id", "batch_id"]
    with (folder / "train" / "obs.tsv").open("w") as handle:
        handle.write("\t".join([*columns, "is_control", "role", "control_row"]) + "\n")
        for row in range(per * CONTEXTS):
            context, place = divmod(row, per)
            control = place % 3 == 0
            pert = "control" if control else f"G{place % PERTURBATIONS}"
            genes_of, own = ("", row) if control else (pert, row - place % 3)
            handle.write(f"{row}\t{pert}\t{genes_of}\tc{context}\tb0\t{int(control)}\ttrain\t{own}\n")
    with (folder / "query" / "obs.tsv").open("w") as handle:
        handle.write("\t".join(columns) + "\n")
        for row in range(CONTEXTS):
            handle.write(f"{row}\tG{PERTURBATIONS + 1}\tG{PERTURBATIONS + 1}\tc{row}\tb0\n")
    card = {
        "name": "many:task", "genes": names, "eval_split": "val", "control_label": "control", "graphs": {},
        "covariates": [], "dataset": {"name": "many", "hash": HASH}, "split": {"name": "task", "hash": HASH},
    }  # fmt: skip
    (folder / "task.json").write_text(json.dumps(card))
    return folder
