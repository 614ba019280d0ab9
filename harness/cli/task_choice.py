"""Which task a command means: by name, by dataset and split, or the project's own, whose demo data are made on first use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.errors import HarnessError, UnknownNameError
from harness.settings import Settings, load_settings

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.split import Split


class EvalSplitOption(StrEnum):
    """The evaluation splits."""

    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class ChosenTask:
    """A dataset, a split, and the graphs that lie beside the dataset."""

    dataset: PerturbDataset
    split: Split
    graphs: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.dataset.name}:{self.split.name}"


def choose_task(task: str | None, data: str | None, split: str | None, *, needed: bool = False) -> ChosenTask:
    """The task of a command: `--task`, or `--data` with `--split`, or the project's default unless one is needed."""
    if task is not None and (data is not None or split is not None):
        raise HarnessError(
            "a task is named twice", got="--task beside --data or --split", mend="give one of the two"
        )
    if (data is None) != (split is None):
        raise HarnessError(
            "a task needs a dataset and a split",
            got="--data alone" if split is None else "--split alone",
            expected="--data DATASET --split SPLIT, or --task DATASET:SPLIT",
        )
    from harness.tasks.names import resolve_task_name

    settings = load_settings()
    if data is not None and split is not None:
        return _open(settings, data, split)
    if task is None and needed:
        raise HarnessError("no task is named", expected="--task DATASET:SPLIT, or --data and --split")
    path, reference = resolve_task_name(
        task or settings.task, settings, say=lambda line: typer.echo(line, err=True)
    )
    return _open(settings, str(path), reference)


def _open(settings: Settings, data: str, split: str) -> ChosenTask:
    from harness.datasets.catalogue import dataset_names
    from harness.datasets.dataset import open_dataset
    from harness.datasets.synthetic import graphs_folder
    from harness.splits.store import SplitStore

    path = settings.dataset_path(data)
    if not path.exists() and Path(data).parent == Path():
        raise UnknownNameError("dataset", data, dataset_names(settings.data), where=settings.data)
    dataset = open_dataset(path)
    found = SplitStore(settings.splits).load(split, dataset=dataset)
    return ChosenTask(dataset, found, tuple(sorted(graphs_folder(path).glob("*.npz"))))


def complete_task(incomplete: str) -> list[str]:
    """Names and aliases of tasks."""
    from harness.tasks.names import known_tasks

    return [name for name in known_tasks(load_settings()) if name.startswith(incomplete)]


def complete_split(incomplete: str) -> list[str]:
    """Names of splits."""
    from harness.splits.store import SplitStore

    names = {name.partition(":")[2] for name in SplitStore(load_settings().splits).names()}
    return sorted(name for name in names if name and name.startswith(incomplete))
