"""Building a task: what may be learnt from, what is asked, and the truth sealed beside it; once per content."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

import harness
from harness.contract.task import TASK_FILE, EvalSplit, GraphCard, NamedHash, TaskCard
from harness.datasets.dataset import PerturbDataset
from harness.datasets.npy import save_array
from harness.digest import Digest, file_hash
from harness.errors import ExistsError
from harness.splits.split import Split, compress
from harness.storage import new_folder, write_json, write_text
from harness.tasks import truth as sealed_truth
from harness.tasks.anndata_file import write_h5ad
from harness.tasks.folder import PUBLIC, SEALED, Task, file_hashes, open_task, write_seal
from harness.tasks.graphs import copy_graph
from harness.tasks.plan import Plan, plan_task, query_table, train_table
from harness.tasks.queries import QUERY_BYTES
from harness.tasks.tables import Progress, write_folder

__all__ = ["FORMAT", "Task", "build_task", "open_task", "task_hash"]

FORMAT = 1
"""Rises when the same inputs give another task, so that older built tasks are not taken for it."""
SDK_FILE = Path(harness.__file__).parent / "sdk.py"
InputFormat = Literal["folder", "h5ad"]


def build_task(
    dataset: PerturbDataset,
    split: Split,
    eval_split: EvalSplit,
    *,
    cache: Path,
    seed: int = 0,
    max_rows: int = 64,
    max_bytes: int = QUERY_BYTES,
    input_format: InputFormat = "folder",
    graphs: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Task:
    """The task of a dataset, a split and an evaluation split: built once, then found by its hash and verified again.

    `max_bytes` bounds the arrays of the query table and may lower the rows per condition. A built task that has changed
    is refused, never repaired.
    """
    identity = task_hash(
        dataset,
        split,
        eval_split,
        seed=seed,
        max_rows=max_rows,
        max_bytes=max_bytes,
        input_format=input_format,
        graphs=graphs,
    )
    root = cache / identity[:16]
    if root.exists():
        return open_task(root)
    plan = plan_task(dataset, split, eval_split, seed=seed, max_rows=max_rows, max_bytes=max_bytes)
    try:
        with new_folder(root, kind="task") as folder:
            _write_public(folder / PUBLIC, plan, input_format, graphs, progress)
            _write_sealed(folder / SEALED, plan)
            write_seal(folder, identity)
    except ExistsError:
        # another process built the same content at the same time
        return open_task(root)
    return open_task(root, verify=False)


def task_hash(
    dataset: PerturbDataset,
    split: Split,
    eval_split: EvalSplit,
    *,
    seed: int = 0,
    max_rows: int = 64,
    max_bytes: int = QUERY_BYTES,
    input_format: InputFormat = "folder",
    graphs: Sequence[Path] = (),
) -> str:
    """Hash of everything that a task is built from."""
    digest = Digest("task").field("format", FORMAT).field("eval_split", eval_split)
    digest.field("dataset", dataset.name).field("data_hash", dataset.data_hash)
    digest.field("split", split.name).field("split_hash", split.frozen_hash)
    digest.field("seed", seed).field("max_rows", max_rows).field("max_bytes", max_bytes)
    digest.field("input_format", input_format)
    digest.json("graphs", {path.stem: file_hash(path) for path in graphs})
    return digest.field("sdk", file_hash(SDK_FILE)).hexdigest()


def _write_public(
    folder: Path, plan: Plan, input_format: InputFormat, graphs: Sequence[Path], progress: Progress | None
) -> None:
    dataset = plan.dataset
    for name, table in (("train", train_table(plan)), ("query", query_table(plan))):
        if input_format == "h5ad":
            folder.mkdir(parents=True, exist_ok=True)
            write_h5ad(folder / f"{name}.h5ad", dataset, table, progress)
        else:
            write_folder(folder / name, dataset, table, progress)
    write_text(folder / "var.tsv", "gene\n" + "".join(f"{gene}\n" for gene in dataset.genes))
    cards = {path.stem: copy_graph(path, folder / "graphs" / path.name, dataset.genes) for path in graphs}
    (folder / "harness").mkdir()
    shutil.copyfile(SDK_FILE, folder / "harness" / SDK_FILE.name)
    card = _card(plan, input_format, cards, file_hashes(folder))
    write_json(folder / TASK_FILE, card.model_dump(mode="json", by_alias=True))


def _card(
    plan: Plan, input_format: InputFormat, graphs: dict[str, GraphCard], files: dict[str, str]
) -> TaskCard:
    dataset, split = plan.dataset, plan.split
    modes = dataset.meta.pools.modes
    return TaskCard(
        name=f"{dataset.name}:{split.name}",
        dataset=NamedHash(name=dataset.name, hash=dataset.data_hash),
        split=NamedHash(name=split.name, hash=split.frozen_hash),
        eval_split=plan.eval_split,
        seed=plan.seed,
        unit=dataset.meta.unit,
        x_kind=dataset.meta.x_kind,
        genes=dataset.genes,
        genes_hash=dataset.meta.genes_hash,
        control_label=dataset.meta.control_label,
        n_train=len(plan.train_rows),
        n_query=len(plan.queries.row),
        rows_per_condition=plan.rows_per_condition,
        rows_limited_by=plan.limited_by,
        shared_controls=[name for name in plan.contexts if modes.get(name) == "shared-controls"],
        covariates=list(dataset.obs.intervention),
        embeddings=sorted(dataset.obsm),
        has_counts=dataset.counts is not None,
        graphs=graphs,
        input_format=input_format,
        perturbed_genes_known=plan.share_of_known_genes(),
        files=files,
    )


def _write_sealed(folder: Path, plan: Plan) -> None:
    folder.mkdir()
    document = sealed_truth.TruthDocument(
        dataset=NamedHash(name=plan.dataset.name, hash=plan.dataset.data_hash),
        split=NamedHash(name=plan.split.name, hash=plan.split.frozen_hash),
        eval_split=plan.eval_split,
        conditions=[
            sealed_truth.SealedCondition(
                context=asked.condition.context,
                pert=asked.condition.pert,
                covariates=list(asked.condition.covariates),
                kind=asked.kind,
                rows=compress(asked.rows),
                stratum=asked.stratum,
            )
            for asked in plan.asked
        ],
        contexts=plan.references(),
        paired=plan.dataset.meta.matching.rule == "paired",
        notes=plan.notes,
    )
    write_json(folder / sealed_truth.TRUTH_FILE, document.model_dump(mode="json", by_alias=True))
    save_array(folder / sealed_truth.QUERY_CONDITION_FILE, plan.queries.condition)
    save_array(folder / sealed_truth.QUERY_ROW_FILE, plan.queries.row)
    save_array(folder / sealed_truth.CANARY_FILE, np.asarray(plan.canary, np.float32))
