"""The two tiny synthetic tasks of the suite, and the same task with its query in another order."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import TASK_FILE, TaskCard
from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_synthetic, preset_spec
from harness.splits.create import create_split
from harness.storage import write_json
from harness.tasks.build import build_task
from harness.tasks.folder import file_hashes

Regime = Literal["context_ood", "combo"]
REGIMES: tuple[Regime, ...] = ("context_ood", "combo")
N_DOUBLES = 12
ROWS_PER_CONDITION = 8


@dataclass(frozen=True)
class TinyTask:
    """A task folder and what it asks of a submission."""

    regime: Regime
    folder: Path
    card: TaskCard


def tiny_tasks(work: Path, input_format: Literal["folder", "h5ad"] = "folder") -> list[TinyTask]:
    """Unseen contexts, and unseen combinations; made anew in a folder."""
    spec = preset_spec("tiny").model_copy(update={"n_doubles": N_DOUBLES})
    dataset = open_dataset(make_synthetic(spec, work / "tiny"))
    tasks = []
    for regime in REGIMES:
        split = create_split(dataset, regime)
        task = build_task(
            dataset,
            split,
            "val",
            cache=work / "tasks",
            max_rows=ROWS_PER_CONDITION,
            input_format=input_format,
        )
        tasks.append(TinyTask(regime, task.public, task.card))
    return tasks


def reordered(task: TinyTask, out: Path) -> tuple[TinyTask, NDArray[np.int64]]:
    """The same task with its query rows in another order, renumbered; row i there is row order[i] here."""
    shutil.copytree(task.folder, out, copy_function=shutil.copyfile)
    order = np.random.default_rng(1).permutation(task.card.n_query).astype(np.int64)
    query = out / "query"
    for path in query.rglob("*.npy"):
        np.save(path, np.load(path)[order])
    header, *lines = (query / "obs.tsv").read_text(encoding="utf-8").splitlines()
    place = header.split("\t").index("row")
    moved = []
    for number, old in enumerate(order):
        cells = lines[old].split("\t")
        cells[place] = str(number)
        moved.append("\t".join(cells))
    (query / "obs.tsv").write_text("\n".join([header, *moved]) + "\n", encoding="utf-8")
    hashes = file_hashes(out)
    hashes.pop(TASK_FILE)
    card = task.card.model_copy(update={"files": hashes})
    write_json(out / TASK_FILE, card.model_dump(mode="json", by_alias=True))
    return TinyTask(task.regime, out, card), order
