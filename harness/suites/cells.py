"""The runs of a sweep or a suite: one for each task, submission and seed, planned on validation and on nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.contract.manifest import Param, load_manifest
from harness.contract.task import EvalSplit
from harness.errors import UnknownNameError
from harness.schedulers.submit import Plan, SubmitRequest, plan_run
from harness.settings import Settings
from harness.suites.entries import SubmissionEntry
from harness.suites.suite_file import SuiteFile
from harness.suites.sweep_file import SweepFile
from harness.suites.tasks import MissingTask, OpenTask, scaled_name, scaled_task

EVAL_SPLIT: EvalSplit = "val"
"""What sweeps and suites look at. Nothing can set it; test is opened by `harness submit --eval-split test` alone."""
FindSubmission = Callable[[str], tuple[Path, str | None]]
"""`NAME[@VARIANT]` as (folder, variant)."""


@dataclass(frozen=True)
class Cell:
    """One run."""

    task: str
    entry: str
    """The submission, or the point of a sweep, as the file calls it."""
    seed: int
    plan: Plan
    controls: bool
    """Whether the run has to be held against controls."""

    @property
    def config_hash(self) -> str:
        return self.plan.config.config_hash

    @property
    def axes(self) -> dict[str, Param]:
        return {"task": self.task, "submission": self.entry, "seed": self.seed}

    @property
    def label(self) -> str:
        return f"{self.entry} on {self.task}, seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """Every run of a file, and the tasks that it speaks of."""

    name: str
    tasks: Mapping[str, OpenTask | MissingTask]
    """Those with a part of the training cells too."""
    cells: tuple[Cell, ...]
    seeds: int
    absent: Mapping[str, str] = field(default_factory=dict)
    """Optional submissions that are not here, with the reason."""


def suite_grid(
    suite: SuiteFile,
    tasks: Mapping[str, OpenTask | MissingTask],
    find: FindSubmission,
    settings: Settings,
    *,
    quick: bool = False,
    keep: bool = True,
) -> Grid:
    """Every run of a suite; with `quick`, fewer seeds."""
    seeds = suite.quick_seeds if quick else suite.seeds
    opened, cells = dict(tasks), []
    absent = _absent(suite, find)
    for name, entry in _pairs(suite, tasks):
        if entry.name in absent:
            continue
        cells += list(_runs(suite, opened[name], entry, seeds, quick, find, settings))
    efficiency = suite.data_efficiency
    if efficiency is not None:
        wanted = set(efficiency.submissions) - set(absent)
        chosen = [entry for entry in suite.entries if entry.name in wanted]
        for name in efficiency.tasks:
            task = opened[name]
            for fraction in efficiency.fractions:
                if fraction == 1 or isinstance(task, MissingTask):
                    continue
                scaled = scaled_name(name, fraction)
                opened[scaled] = scaled_task(task, fraction, settings, keep=keep)
                for entry in chosen:
                    cells += list(_runs(suite, opened[scaled], entry, seeds, quick, find, settings))
    return Grid(suite.name, opened, tuple(cells), seeds, absent)


def sweep_grid(
    sweep: SweepFile,
    tasks: Mapping[str, OpenTask | MissingTask],
    find: FindSubmission,
    settings: Settings,
) -> Grid:
    """Every run of a sweep."""
    cells = [
        _cell(
            task,
            point.name,
            point.submission,
            point.params,
            seed,
            (sweep.controls, task.graphs),
            find,
            settings,
        )
        for task in tasks.values()
        if isinstance(task, OpenTask)
        for point in sweep.all_points()
        for seed in range(sweep.seeds)
    ]
    return Grid(sweep.name, dict(tasks), tuple(cells), sweep.seeds)


def _absent(suite: SuiteFile, find: FindSubmission) -> dict[str, str]:
    found = {}
    for entry in suite.entries:
        try:
            folder, variant = find(entry.submission)
            load_manifest(folder).resolve(variant, dict(entry.params))
        except UnknownNameError as unknown:
            if not entry.optional:
                raise
            found[entry.name] = f"{entry.name} is not here: {unknown.what}"
    return found


def _pairs(
    suite: SuiteFile, tasks: Mapping[str, OpenTask | MissingTask]
) -> Iterator[tuple[str, SubmissionEntry]]:
    for name in tasks:
        for entry in suite.entries:
            if entry.tasks is None or name in entry.tasks:
                yield name, entry


def _runs(
    suite: SuiteFile,
    task: OpenTask | MissingTask,
    entry: SubmissionEntry,
    seeds: int,
    quick: bool,
    find: FindSubmission,
    settings: Settings,
) -> Iterator[Cell]:
    if isinstance(task, MissingTask):
        return
    graphs = task.with_graph(entry.graph, settings.data)
    # a task with another graph is another task, of which all controls would be made anew; it is compared, not judged
    controls = suite.controls and entry.graph == "given"
    wanted = min(seeds, entry.seeds or seeds) if quick else entry.seeds or seeds
    for seed in range(wanted):
        yield _cell(
            task, entry.name, entry.submission, entry.params, seed, (controls, graphs), find, settings
        )


def _cell(
    task: OpenTask,
    name: str,
    submission: str,
    params: Mapping[str, Param],
    seed: int,
    given: tuple[bool, Sequence[Path]],
    find: FindSubmission,
    settings: Settings,
) -> Cell:
    folder, variant = find(submission)
    controls, graphs = given
    plan = plan_run(
        SubmitRequest(
            folder=folder,
            dataset=task.dataset,
            split=task.split,
            runs=settings.runs,
            task_cache=settings.task_cache,
            variant=variant,
            passed=dict(params),
            eval_split=EVAL_SPLIT,
            seed=seed,
            graphs=tuple(graphs),
            ledger=settings.ledger,
            controls=controls,
            passports=settings.splits / "passports",
        )
    )
    return Cell(task.name, name, seed, plan, controls)
