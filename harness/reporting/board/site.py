"""What a board shows: its tasks, and the facts of the datasets, splits and metrics that they hang on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.datasets.cards import DatasetCard, load_card
from harness.datasets.catalogue import card_names
from harness.errors import HarnessError
from harness.reporting.board.entry import SHOWN, Entry
from harness.reporting.board.standings import Row, Standings
from harness.splits.split import Split
from harness.splits.store import SplitStore

UNKNOWN_REGIME = "not known here"


@dataclass(frozen=True)
class Submission:
    """Everything that one submission, by name, did on the board."""

    name: str
    rows: tuple[tuple[Standings, Row], ...]

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Its runs, newest first."""
        told = (entry for _, row in self.rows for entry in (*row.entries, *row.others))
        return tuple(sorted(told, key=lambda entry: entry.run, reverse=True))

    @property
    def newest(self) -> Entry:
        return self.entries[0]

    @property
    def house(self) -> bool:
        return any(entry.house for entry in self.entries)

    @cached_property
    def speaking(self) -> frozenset[str]:
        """Names of the runs that its rows are made of."""
        return frozenset(entry.run for _, row in self.rows for entry in row.entries)


@dataclass(frozen=True)
class Site:
    """A board before it is drawn."""

    title: str
    tasks: tuple[Standings, ...]
    splits: Mapping[str, Split]
    """By hash, those that are known here."""
    cards: Mapping[str, DatasetCard]
    """By name of the dataset, those that are known here."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for task in self.tasks for entry in task.entries)

    @cached_property
    def submissions(self) -> tuple[Submission, ...]:
        """By name."""
        found: dict[str, list[tuple[Standings, Row]]] = {}
        for task in self.tasks:
            for row in task.rows:
                found.setdefault(row.submission, []).append((task, row))
        return tuple(Submission(name, tuple(found[name])) for name in sorted(found))

    @cached_property
    def datasets(self) -> Mapping[str, tuple[Standings, ...]]:
        """Tasks by the name of their dataset."""
        found: dict[str, list[Standings]] = {}
        for task in self.tasks:
            found.setdefault(task.first.record.dataset.name, []).append(task)
        return {name: tuple(found[name]) for name in sorted(found)}

    def rows(self, part: str) -> Iterator[tuple[Standings, Row]]:
        """Rows of one part (`ranked`, `validation`, `unscored`) of every task, task by task."""
        for task in self.tasks:
            for row in getattr(task, part):
                yield task, row

    def regime(self, task: Standings) -> str:
        """The regime of a task's split."""
        split = self.splits.get(task.first.record.split.hash)
        return UNKNOWN_REGIME if split is None else split.regime

    @cached_property
    def scorecards(self) -> frozenset[str]:
        """Runs whose scorecard is on the board."""
        return frozenset(entry.run for entry in self.entries if has_page(entry))


def has_page(entry: Entry) -> bool:
    """Whether a run's scorecard can be shown: sealed beside it, or rendered from a folder that lacks nothing."""
    if entry.scorecard:
        return True
    return all(
        (entry.path / name).is_file() for name in entry.record.files if name.endswith((".json", ".txt"))
    )


def make_site(tasks: Sequence[Standings], splits: SplitStore | None, title: str) -> Site:
    """A board of some tasks, with what is known here of their splits and datasets."""
    hashes = dict.fromkeys(task.first.record.split.hash for task in tasks)
    datasets = dict.fromkeys(task.first.record.dataset.name for task in tasks)
    known = set(card_names())
    return Site(
        title,
        tuple(tasks),
        dict(_known_splits(hashes, splits)),
        {name: load_card(name) for name in datasets if name in known},
    )


def _known_splits(hashes: Iterable[str], store: SplitStore | None) -> Iterator[tuple[str, Split]]:
    for one in hashes if store is not None else ():
        try:
            yield one, store.load(one)  # type: ignore[union-attr]
        except HarnessError:
            continue


def metrics_of(task: Standings) -> tuple[str, ...]:
    """The metrics of a task's tables: the primary first, then the headline."""
    return tuple(dict.fromkeys((task.primary, *(name for name in SHOWN if name != "calibrated.mse"))))
