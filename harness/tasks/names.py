"""What a task's name means: a dataset folder and a split of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from harness.datasets.dataset import open_dataset, read_meta
from harness.datasets.synthetic import make_preset
from harness.errors import ExistsError, HarnessError, UnknownNameError
from harness.settings import Settings
from harness.splits.create import create_split
from harness.splits.index import read_index
from harness.splits.store import SplitStore

DEMO = "demo"
DEMO_SPLIT = "context_ood"


class TaskName(NamedTuple):
    """A resolved task name."""

    dataset: Path
    split: str
    """Reference into the split store, to be loaded with the dataset's name."""


def resolve_task_name(name: str, settings: Settings, *, say: Callable[[str], None] | None = None) -> TaskName:
    """The dataset and split that `DATASET:SPLIT` or an alias names.

    The built-in dataset `demo` and its split `context_ood` are made on first use; `say` is told so in a line.
    """
    index = read_index(settings.splits)
    target = index.aliases.get(name, name)
    dataset_name, colon, split = target.partition(":")
    if not colon or not dataset_name or not split:
        raise UnknownNameError("task", name, known_tasks(settings))
    dataset = settings.dataset_path(dataset_name)
    if dataset_name == DEMO and not dataset.exists():
        _tell(say, f"making the built-in dataset {DEMO} in {dataset} (once)")
        # another process may make the same one meanwhile; whichever stands there is verified when it is opened
        with suppress(ExistsError):
            make_preset(DEMO, dataset)
    if not (dataset / "meta.json").is_file():
        raise HarnessError(
            f"the dataset of task {name!r} is not here",
            where=dataset,
            expected="a dataset folder of that name",
            mend=f"harness data fetch {dataset_name}, or make or import it; harness data list shows what is here",
        )
    own_name = read_meta(dataset).name
    if own_name == DEMO and split == DEMO_SPLIT and split not in index.splits.get(own_name, {}):
        _tell(say, f"freezing the split {DEMO}:{DEMO_SPLIT} in {settings.splits} (once)")
        SplitStore(settings.splits).save(create_split(open_dataset(dataset), DEMO_SPLIT))
    return TaskName(dataset, split)


def known_tasks(settings: Settings) -> list[str]:
    """Every `DATASET:SPLIT` and alias of the split store, and the built-in one; from the index alone."""
    return sorted({*SplitStore(settings.splits).names(), f"{DEMO}:{DEMO_SPLIT}"})


def _tell(say: Callable[[str], None] | None, line: str) -> None:
    if say is not None:
        say(line)
