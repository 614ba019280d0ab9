"""Which task a command means: by name, by dataset and split, or the project's own, whose demo data are made on first use."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.errors import ExistsError, HarnessError, UnknownNameError
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
    settings = load_settings()
    if data is not None and split is not None:
        return _open(settings, data, split)
    if task is None and needed:
        raise HarnessError("no task is named", expected="--task DATASET:SPLIT, or --data and --split")
    dataset_name, split_name = _by_name(settings, task or settings.task)
    _make_builtin(settings, dataset_name, split_name)
    return _open(settings, dataset_name, split_name)


def _by_name(settings: Settings, task: str) -> tuple[str, str]:
    """(dataset, split) of `DATASET:SPLIT` or of an alias."""
    from harness.splits.index import read_index

    dataset, colon, split = read_index(settings.splits).aliases.get(task, task).partition(":")
    if not colon or not dataset or not split:
        raise HarnessError(
            "this is no task name", got=task, expected="DATASET:SPLIT", mend="harness tasks list"
        )
    return dataset, split


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


def _make_builtin(settings: Settings, dataset_name: str, split_name: str) -> None:
    """Make a built-in dataset and its split where the task names them and they are not there yet."""
    from harness.datasets.synthetic import PRESETS, make_preset
    from harness.splits.regimes import regimes
    from harness.splits.store import SplitStore

    if dataset_name not in PRESETS:
        return
    path = settings.data / dataset_name
    if not path.exists():
        typer.echo(f"making the built-in dataset {dataset_name} in {path}", err=True)
        with contextlib.suppress(ExistsError):  # another process made it meanwhile
            make_preset(dataset_name, path)
    store = SplitStore(settings.splits)
    if split_name in regimes() and f"{dataset_name}:{split_name}" not in set(store.names()):
        from harness.datasets.dataset import open_dataset
        from harness.splits.create import create_split

        store.save(create_split(open_dataset(path), split_name))


def complete_task(incomplete: str) -> list[str]:
    """Names and aliases of tasks."""
    from harness.splits.store import SplitStore

    return sorted(name for name in SplitStore(load_settings().splits).names() if name.startswith(incomplete))


def complete_split(incomplete: str) -> list[str]:
    """Names of splits."""
    from harness.splits.store import SplitStore

    names = {name.partition(":")[2] for name in SplitStore(load_settings().splits).names()}
    return sorted(name for name in names if name and name.startswith(incomplete))
