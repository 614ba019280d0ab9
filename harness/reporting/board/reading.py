"""All runs of a board, read and held against each other; what must not stand on one board is refused, named in one error."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from harness.errors import ChangedError, HarnessError
from harness.records.run_folder import METRICS_FILE, list_runs
from harness.records.versions import SHOWN, differing_metrics
from harness.reporting.board.entry import Entry, read_entry
from harness.reporting.board.standings import Standings
from harness.storage import read_json

MANY = 100
"""From so many runs on they are read by several processes."""
MOST_WORKERS = 4
Progress = Callable[[int, int], None]


def run_folders(runs: Path) -> list[Path]:
    """Every finished run of a runs folder, oldest first."""
    return [run.path for run in list_runs(runs)]


def read_entries(folders: Sequence[Path], progress: Progress | None = None) -> list[Entry]:
    """Every run; all that are not sealed or have changed are named in one error."""
    found: list[Entry] = []
    faults: list[HarnessError] = []
    for number, told in enumerate(_read_all(folders), start=1):
        if isinstance(told, Entry):
            found.append(told)
        else:
            faults.append(told)
        if progress:
            progress(number, len(folders))
    if faults:
        raise _refusal(faults, len(folders))
    _refuse_twice(found)
    return found


def _read_all(folders: Sequence[Path]) -> Iterator[Entry | HarnessError]:
    workers = min(MOST_WORKERS, os.cpu_count() or 1)
    if len(folders) < MANY or workers < 2:
        yield from map(_read, folders)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_read, folders, chunksize=8)


def _read(folder: Path) -> Entry | HarnessError:
    try:
        return read_entry(folder)
    except HarnessError as fault:
        fault.where = fault.where or str(folder)
        return _CarriedError.of(fault)


class _CarriedError(HarnessError):
    """A refusal that can travel between processes."""

    @classmethod
    def of(cls, fault: HarnessError) -> _CarriedError:
        return cls(fault.what, where=fault.where, got=fault.got, expected=fault.expected, mend=fault.mend)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (self.what, self.where, self.got, self.expected, self.mend)


def _again(what: str, where: object, got: object, expected: object, mend: str | None) -> _CarriedError:
    return _CarriedError(what, where=where, got=got, expected=expected, mend=mend)


def _refusal(faults: Sequence[HarnessError], n: int) -> HarnessError:
    first = faults[0]
    if len(faults) == 1:
        return ChangedError(
            f"a board is made of sealed, unchanged records: {first.what}",
            where=first.where,
            got=first.got,
            expected=first.expected,
            mend=first.mend or "leave the run out, or make it again",
        )
    return ChangedError(
        f"a board is made of sealed, unchanged records; {len(faults)} of {n} runs are not",
        where="; ".join(f"{one.where}: {one.what}" for one in _few(faults)),
        mend="leave them out, or make them again; harness verify RUN tells all that has changed",
    )


def _few(faults: Sequence[HarnessError]) -> list[HarnessError]:
    return list(faults[:SHOWN])


def _refuse_twice(entries: Sequence[Entry]) -> None:
    counted = Counter(entry.run for entry in entries)
    twice = [entry for entry in entries if counted[entry.run] > 1]
    if twice:
        raise HarnessError(
            "the same run was named twice",
            where=", ".join(str(entry.path) for entry in twice[:SHOWN]),
            mend="name it once",
        )


def refuse_mixed_tasks(entries: Sequence[Entry]) -> None:
    """Refuse runs that answered different things under one task's name."""
    of_split: dict[tuple[str, str], list[Entry]] = {}
    asked: tuple[tuple[str, Callable[[Entry], str]], ...] = (
        ("dataset", lambda one: one.record.dataset.hash),
        ("split", lambda one: one.record.split.hash),
        ("list of genes", lambda one: one.record.genes_hash),
    )
    for entry in entries:
        of_split.setdefault((entry.record.task.name, entry.record.task.eval_split), []).append(entry)
    tasks: dict[str, list[Entry]] = {}
    for (task, _), members in of_split.items():
        tasks.setdefault(task, []).extend(members)
    for task, members in tasks.items():
        for what, of in asked:
            _refuse_several(
                f"{task}: runs of different versions of its {what} never share a table", members, of
            )


def refuse_mixed_versions(tasks: Iterable[Standings]) -> None:
    """Refuse scores of different versions of the metrics; runs that were scored anew since do not count."""
    speaking = [entry for task in tasks for row in task.rows for entry in row.entries if entry.scored]
    versions = {entry.record.metrics_version for entry in speaking}
    if len(versions) < 2:
        return
    of_each = [next(one for one in speaking if one.record.metrics_version == told) for told in versions]
    documents = [
        read_json(one.path / METRICS_FILE, "metrics")
        for one in of_each
        if (one.path / METRICS_FILE).is_file()
    ]
    names = differing_metrics(documents) if len(documents) > 1 else []
    which = (
        f", of {', '.join(names[:SHOWN])}{f', … {len(names)} in all' if len(names) > SHOWN else ''}"
        if names
        else ""
    )
    _refuse_several(
        f"results of different versions of a metric never share a table{which}",
        speaking,
        lambda one: str(one.record.metrics_version),
        mend="harness rescore RUN scores an older run with today's metrics; or leave it out",
    )


def _refuse_several(
    what: str, entries: Sequence[Entry], of: Callable[[Entry], str], *, mend: str | None = None
) -> None:
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(of(entry), []).append(entry.run)
    if len(groups) < 2:
        return
    told = sorted(groups.items(), key=lambda item: -len(item[1]))
    raise HarnessError(
        what,
        where="; ".join(f"{version[:12]}: {_named(runs)}" for version, runs in told),
        got=f"{len(groups)} versions",
        expected="one",
        mend=mend or "publish the runs of one version; harness runs list shows them",
    )


def _named(runs: Sequence[str]) -> str:
    more = f", … {len(runs)} runs" if len(runs) > SHOWN else ""
    return ", ".join(runs[:SHOWN]) + more
