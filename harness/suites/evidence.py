"""What the runs of a suite say: scores of every submission on every task, controls, verdicts, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.contract.status import RunStatus
from harness.controls.baselines import same_rule
from harness.controls.control_set import ControlScore, ControlSet
from harness.errors import HarnessError
from harness.records.run_folder import TABLE_FILE, RunFolder
from harness.records.versions import refuse_mixed_versions
from harness.scoring.score_table import ScoreTable
from harness.suites.cells import Grid
from harness.suites.choice import refuse_test
from harness.suites.sentence import BEST, BEST_TRIVIAL
from harness.suites.standing import Standing
from harness.suites.suite_file import SuiteFile
from harness.suites.tasks import MissingTask, OpenTask
from harness.verdicts.against_controls import spans
from harness.verdicts.claims_of_runs import SEEDS_GATE, controls_of_runs, verdict_of
from harness.verdicts.intervals import Side
from harness.verdicts.judge import Verdict
from harness.verdicts.passports import Passport

FITTED = ("ridge", "bilinear")
"""Baselines that learn weights; the others are trivial."""
OWN_COMPARISON = "beats controls"
"""The gate that asks what a claim against a baseline asks itself."""


class Unknown(HarnessError):  # noqa: N818 - a reason, not a fault
    """Something that the runs cannot say; it never leaves this folder."""


@dataclass(frozen=True)
class Runs:
    """The runs of one submission on one task."""

    task: str
    entry: str
    sound: tuple[RunFolder, ...]
    """Those that ended well, by seed."""
    wanted: int
    missing: str
    """Why one of them is missing; empty where all are there."""

    @cached_property
    def tables(self) -> tuple[ScoreTable, ...]:
        return tuple(ScoreTable.read(run.path / TABLE_FILE) for run in self.sound)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Those of its runs that were judged."""
        found = (verdict_of(run) for run in self.sound)
        return tuple(one for one in found if one is not None)

    def side(self) -> Side:
        """Its scores; unknown where a run is missing."""
        if self.missing:
            raise Unknown(self.missing)
        return Side(self.entry, self.tables)

    def failed_gates(self, asked: Sequence[str] | None) -> tuple[str, ...]:
        """Gates that fail in any run; `asked`, or all but those of seeds and of controls."""
        if len(self.verdicts) < len(self.sound):
            raise Unknown(f"{self.entry} was scored without controls on {self.task}")
        failed = {gate.name for one in self.verdicts for gate in one.gates if gate.state == "fail"}
        return tuple(
            sorted(failed & set(asked) if asked is not None else failed - {SEEDS_GATE, OWN_COMPARISON})
        )

    @property
    def permutation_p(self) -> float | None:
        """The largest p of its runs; None where a label could be no other."""
        tested = [one.specificity.p for one in self.verdicts if one.specificity is not None]
        return max(tested) if tested and len(tested) == len(self.sound) else None

    def why_undefined(self, metric: str) -> str:
        """The scorer's own reason for a value of the task that does not exist."""
        panel, _, name = metric.partition(".")
        for run in self.sound:
            told = (run.metrics() or {}).get(panel, {}).get("global", {}).get(name, {})
            if told.get("value") is None and told.get("reason"):
                return str(told["reason"])
        return ""


@dataclass(frozen=True)
class Evidence:
    """Everything that claims and tables are made of."""

    suite: SuiteFile
    grid: Grid
    stand: Standing
    _runs: dict[tuple[str, str], Runs] = field(default_factory=dict)
    _controls: dict[str, ControlSet | None] = field(default_factory=dict)

    def entries_on(self, task: str) -> list[str]:
        """The submissions that run on a task, in the order of the file."""
        return list(dict.fromkeys(cell.entry for cell in self.grid.cells if cell.task == task))

    def runs(self, task: str, entry: str) -> Runs:
        """The runs of a submission on a task."""
        if (task, entry) not in self._runs:
            self._runs[task, entry] = self._gather(task, entry)
        return self._runs[task, entry]

    def task(self, name: str) -> OpenTask | MissingTask:
        """A task by name."""
        return self.grid.tasks[name]

    def controls(self, task: str) -> ControlSet | None:
        """The controls of a task; None where no run was held against them."""
        if task not in self._controls:
            runs = [run for entry in self.entries_on(task) for run in self.runs(task, entry).sound]
            given = {one.name for one in self.suite.entries if one.graph == "given"}
            held = [
                run
                for entry in self.entries_on(task)
                if entry in given
                for run in self.runs(task, entry).sound
                if run.record.controls
            ]
            refuse_test(runs)
            refuse_mixed_versions(runs, self.suite.metrics)
            self._controls[task] = controls_of_runs(held)
        return self._controls[task]

    def passport(self, task: str, metric: str) -> Passport | None:
        """The passport of a metric on a task; None where it was not determined."""
        for entry in self.entries_on(task):
            for one in self.runs(task, entry).verdicts:
                if one.passports is not None:
                    return one.passports.passports.get(metric)
        return None

    def span(self, task: str, metric: str) -> float | None:
        """From baseline to replicate; None where it is not known, or the replicate is no better."""
        controls = self.controls(task)
        found = None if controls is None else spans(controls, [metric]).get(metric)
        return found if found is not None and found > 0 else None

    def opponent(self, task: str, name: str, metric: str, subject: str) -> Side:
        """A submission of the suite, a control of the task, or the strongest one."""
        if name in self.entries_on(task) or name in self.grid.absent:
            return self.runs(task, name).side()
        controls = self.controls(task)
        if controls is None:
            raise Unknown(f"no run on {task} was held against controls")
        if name in (BEST, BEST_TRIVIAL):
            return _side(self._strongest(controls, name, metric, self._own(subject)))
        found = controls.get(name)
        if found is None or not found.tables:
            raise Unknown(f"{name} neither runs nor is a control on {task}")
        return _side(found)

    def _strongest(self, controls: ControlSet, name: str, metric: str, own: str | None) -> ControlScore:
        left_out = {own, *(FITTED if name == BEST_TRIVIAL else ())}
        others = ControlSet({one.card.name: one for one in controls if one.card.name not in left_out})
        found = others.strongest(metric)
        if found is None or metric not in found.tables[0].values:
            raise Unknown(f"no baseline has a value of {metric} for each condition")
        return found

    def _own(self, subject: str) -> str | None:
        """The control that a submission is, which it is not held against."""
        config = next((cell.plan.config for cell in self.grid.cells if cell.entry == subject), None)
        if config is None:
            return subject
        return same_rule(config.submission.content_hash, config.params.resolved)

    def _gather(self, task: str, entry: str) -> Runs:
        opened = self.grid.tasks[task]
        if isinstance(opened, MissingTask):
            return Runs(task, entry, (), 0, opened.reason)
        cells = [cell for cell in self.grid.cells if (cell.task, cell.entry) == (task, entry)]
        if entry in self.grid.absent:
            return Runs(task, entry, (), 0, self.grid.absent[entry])
        if not cells:
            return Runs(task, entry, (), 0, f"{entry} does not run on {task}")
        found = [(cell, self.stand.run(cell)) for cell in cells]
        sound = [run for _, run in found if run is not None and run.record.status is RunStatus.OK]
        return Runs(task, entry, tuple(sound), len(cells), _missing(entry, task, [run for _, run in found]))


def _missing(entry: str, task: str, runs: Sequence[RunFolder | None]) -> str:
    absent = sum(run is None for run in runs)
    if absent:
        return f"{absent} of {len(runs)} runs of {entry} on {task} are not finished"
    for run in runs:
        if run is not None and run.record.status is not RunStatus.OK:
            first = run.record.reason.partition("\n")[0]
            return f"{entry} on {task}, seed {run.record.seed}: {run.record.status}: {first}"
    return ""


def _side(score: ControlScore) -> Side:
    return Side(f"{score.card.name} (control)", score.tables)


def finite(value: float | None) -> float | None:
    """A number, or None where it does not exist."""
    return value if value is not None and math.isfinite(value) else None
