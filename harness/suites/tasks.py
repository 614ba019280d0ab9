"""The tasks of a file, opened: their datasets, their splits, made and frozen where a regime is named, and their graphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.graphs import graphs_beside, read_graph, rewire, save_graph
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.settings import Settings
from harness.splits.create import create_split
from harness.splits.regimes import find_regime
from harness.splits.split import ROLES, Split
from harness.splits.store import SplitStore
from harness.storage import make_folder
from harness.suites.entries import Graph, TaskEntry, task_entry
from harness.tasks.names import resolve_task_name

Say = Callable[[str], None]
REWIRED = ".rewired"
SCALED_REGIME = "context_ood"
"""The regime that the nested parts of `scaling` belong to."""


@dataclass(frozen=True)
class OpenTask:
    """A task that is here."""

    name: str
    dataset: PerturbDataset
    split: Split
    graphs: tuple[Path, ...]
    gene_space: str
    """In which genes claims on it are shown."""

    def with_graph(self, kind: Graph, cache: Path) -> tuple[Path, ...]:
        """Its graphs, those with their ends exchanged, or none."""
        if kind == "none":
            return ()
        return self.graphs if kind == "given" else tuple(_rewired(path, cache) for path in self.graphs)


@dataclass(frozen=True)
class MissingTask:
    """A task whose dataset is not here."""

    name: str
    reason: str


def open_tasks(
    told: Sequence[str | TaskEntry], settings: Settings, *, keep: bool = True, say: Say | None = None
) -> dict[str, OpenTask | MissingTask]:
    """Every task by name; one without its dataset is said to be missing. `keep`: freeze splits that are made here."""
    found: dict[str, OpenTask | MissingTask] = {}
    for one in told:
        name = task_entry(one)
        dataset = one.dataset if isinstance(one, TaskEntry) else name.partition(":")[0]
        lacking = isinstance(one, TaskEntry) and not (settings.dataset_path(dataset) / "meta.json").is_file()
        if lacking:
            found[name] = MissingTask(name, f"the dataset {dataset} is not in {settings.data.name}/")
            continue
        found[name] = _open_named(one, settings, say) if isinstance(one, str) else _open(one, settings, keep)
    if all(isinstance(one, MissingTask) for one in found.values()):
        raise HarnessError(
            "none of the datasets is here",
            where=settings.data,
            got=", ".join(f"no {one.dataset}" for one in told if isinstance(one, TaskEntry)),
            mend="harness data fetch NAME, or harness data import --card NAME --mirror DIR",
        )
    return found


def scaled_task(task: OpenTask, fraction: float, settings: Settings, *, keep: bool = True) -> OpenTask:
    """The same task after a nested part of the training cells."""
    if task.split.regime != SCALED_REGIME:
        raise HarnessError(
            "data efficiency is measured on splits that hold out contexts",
            where=task.name,
            got=f"a split by {task.split.regime}",
            expected=SCALED_REGIME,
            mend="leave the task out of data_efficiency",
        )
    known = find_regime("scaling").parameters
    params = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in task.split.params.items()
        if name in known
    }
    split = create_split(
        task.dataset,
        "scaling",
        name=f"{task.split.name}-{fraction:g}",
        seed=task.split.seed,
        train_fraction=fraction,
        **params,
    )
    _refuse_other_questions(task, split)
    return _opened(scaled_name(task.name, fraction), task.dataset, split, settings, keep)


def _refuse_other_questions(task: OpenTask, split: Split) -> None:
    """Only training cells may differ."""
    train = ROLES.index("train")
    before, after = task.split.role_codes(), split.role_codes()
    if ((before != after) & (before != train)).any():
        raise HarnessError(
            "a part of the training cells would come with other questions",
            where=task.name,
            mend="freeze the split anew, with names for what it holds out; or leave the task out of data_efficiency",
        )


def scaled_name(task: str, fraction: float) -> str:
    """What a task with a part of its training cells is called."""
    return task if fraction == 1 else f"{task}@{fraction:g}"


def _open_named(name: str, settings: Settings, say: Say | None) -> OpenTask:
    folder, reference = resolve_task_name(name, settings, say=say)
    dataset = open_dataset(folder)
    return _opened(name, dataset, SplitStore(settings.splits).load(reference, dataset=dataset), settings)


def _open(entry: TaskEntry, settings: Settings, keep: bool) -> OpenTask:
    dataset = open_dataset(settings.dataset_path(entry.dataset))
    if entry.regime is None:
        split = SplitStore(settings.splits).load(entry.split or "", dataset=dataset)
        return _opened(entry.name, dataset, split, settings)
    told: Mapping[str, list[str]] = {
        name: [str(one) for one in value] if isinstance(value, list) else [str(value)]
        for name, value in entry.params.items()
    }
    params = find_regime(entry.regime).parse(told)
    split = create_split(dataset, entry.regime, name=entry.split or entry.regime, seed=entry.seed, **params)
    return _opened(entry.name, dataset, split, settings, keep)


def _opened(
    name: str, dataset: PerturbDataset, split: Split, settings: Settings, keep: bool = False
) -> OpenTask:
    if keep:
        SplitStore(settings.splits).save(split)
    graphs = tuple(graphs_beside(dataset.path, split.frozen_hash))
    space = f"{dataset.meta.n_vars} genes ({dataset.meta.preprocessing.gene_space})"
    return OpenTask(name, dataset, split, graphs, space)


def _rewired(path: Path, cache: Path) -> Path:
    """A graph with its ends exchanged, made once, named by the content of the graph that it is made of."""
    target = cache / REWIRED / file_hash(path)[:16] / path.name
    make_folder(target.parent)
    return target if target.is_file() else save_graph(rewire(read_graph(path), 0), target)
