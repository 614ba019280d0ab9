"""Which task is meant: by name, by dataset and split, or the project's own, whose demo data are made on first use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.split import Split
    from harness.tasks.folder import Task
    from harness.tasks.tables import Progress


class EvalSplitOption(StrEnum):
    """The evaluation splits."""

    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class ChosenTask:
    """A dataset, a split, and the graphs that go with them."""

    dataset: PerturbDataset
    split: Split
    graphs: tuple[Path, ...]
    """Those beside the dataset, and those learned on this split."""

    @property
    def name(self) -> str:
        return f"{self.dataset.name}:{self.split.name}"

    def build(self, eval_split: EvalSplitOption, progress: Progress | None = None) -> Task:
        """The built task that `harness submit` gives to a submission, from the cache or new."""
        from harness.settings import load_settings
        from harness.tasks.build import build_task

        cache = load_settings().task_cache
        return build_task(
            self.dataset, self.split, eval_split.value, cache=cache, graphs=self.graphs, progress=progress
        )


def choose_task(task: str | None, data: str | None, split: str | None, *, needed: bool = False) -> ChosenTask:
    """The task of a command: its name, or `--data` with `--split`, or the project's default unless one is needed."""
    if task is not None and (data is not None or split is not None):
        raise typer.BadParameter("the task is named twice: give its name, or --data with --split")
    if (data is None) != (split is None):
        raise typer.BadParameter(
            "a task needs both --data DATASET and --split SPLIT, or its name DATASET:SPLIT"
        )
    if data is not None and split is not None:
        return _from_parts(data, split)
    if task is None and needed:
        raise typer.BadParameter("name a task, DATASET:SPLIT, or give --data with --split")
    from harness.settings import load_settings
    from harness.tasks.names import resolve_task_name

    settings = load_settings()
    folder, reference = resolve_task_name(
        task or settings.task, settings, say=lambda line: typer.echo(line, err=True)
    )
    return _from_parts(str(folder), reference)


def complete_task(incomplete: str) -> list[str]:
    """Names and aliases of tasks."""
    from harness.settings import load_settings
    from harness.tasks.names import known_tasks

    return [name for name in known_tasks(load_settings()) if name.startswith(incomplete)]


def complete_split_name(incomplete: str) -> list[str]:
    """Names of splits, without those of their datasets."""
    from harness.cli.names.splits import split_store

    names = {name.partition(":")[2] for name in split_store().names()}
    return sorted(name for name in names if name and name.startswith(incomplete))


def _from_parts(data: str, split: str) -> ChosenTask:
    from harness.cli.names.datasets import named_dataset
    from harness.cli.names.splits import split_store
    from harness.datasets.graphs import graphs_beside

    dataset = named_dataset(data)
    found = split_store().load(split, dataset=dataset)
    return ChosenTask(dataset, found, tuple(graphs_beside(dataset.path, found.frozen_hash)))
