"""Runs of one task, gathered into submissions with their training seeds; what must not share a table is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.status import RunStatus
from harness.digest import Digest
from harness.errors import HarnessError
from harness.records.record import RunConfig
from harness.records.run_folder import TABLE_FILE, RunFolder, find_run, list_runs
from harness.records.versions import refuse_mixed_versions
from harness.scoring.score_table import ScoreTable
from harness.verdicts.intervals import Side


@dataclass(frozen=True)
class Entrant:
    """One submission with one configuration: a run per training seed."""

    name: str
    runs: tuple[RunFolder, ...]
    """By seed."""

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(run.record.seed for run in self.runs)

    def side(self) -> Side:
        """Its scores."""
        return Side(self.name, tuple(ScoreTable.read(run.path / TABLE_FILE) for run in self.runs))


def gather(runs: Sequence[RunFolder], metrics: Sequence[str] | None = None) -> tuple[Entrant, ...]:
    """The submissions of some runs, in the order in which they come first.

    Refused: runs of different tasks, of different versions of the metrics (of those named, or of all), runs that were not
    scored or whose result stands under a doubt, and the same predictions twice.
    """
    if not runs:
        raise HarnessError("there are no runs to compare", mend="harness runs list shows the runs")
    for run in runs:
        _refuse_unsound(run)
    _refuse_other_tasks(runs)
    refuse_mixed_versions(runs, metrics)
    _refuse_twice(runs)
    configs = {run.path: run.config() for run in runs}
    groups: dict[str, list[RunFolder]] = {}
    for run in runs:
        groups.setdefault(_family(configs[run.path]), []).append(run)
    names = _names([configs[members[0].path] for members in groups.values()])
    found = [
        Entrant(name, tuple(sorted(members, key=lambda run: run.record.seed)))
        for name, members in zip(names, groups.values(), strict=True)
    ]
    for entrant in found:
        _refuse_seed_twice(entrant)
    return tuple(found)


def runs_named(folder: Path, reference: str) -> list[RunFolder]:
    """The run that a reference names; of the name of a submission its newest configuration, the newest run of each seed."""
    of_name = [run for run in list_runs(folder) if run.record.submission.name == reference]
    sound = [run for run in of_name if run.record.status is RunStatus.OK]
    if not sound:
        return [of_name[-1] if of_name else find_run(folder, reference)]
    newest = sound[-1]
    same = [
        run
        for run in sound
        if _task(run) == _task(newest) and _family(run.config()) == _family(newest.config())
    ]
    return list({run.record.seed: run for run in same}.values())


def other_runs(entrant: Entrant, folder: Path) -> list[RunFolder]:
    """Scored runs of the same configuration and task that an entrant leaves out: other seeds, and other results of its own.

    Whoever may choose among seeds, or repeat one until it does well, is better by luck. The same predictions are no other
    result, and neither is a quick look.
    """
    chosen = entrant.runs[0]
    family = _family(chosen.config())
    told = {run.record.attempt for run in entrant.runs}
    same = {run.record.predictions_sha256 for run in entrant.runs}
    return [
        run
        for run in list_runs(folder)
        if run.record.attempt not in told
        and run.record.metrics_version is not None
        and (run.record.seed not in entrant.seeds or run.record.controls)
        and run.record.predictions_sha256 not in same
        and _task(run) == _task(chosen)
        and _family(run.config()) == family
    ]


def not_ranked(run: RunFolder) -> list[str]:
    """Reasons why a run's predictions may be looked at but rank nobody."""
    metrics = run.metrics() or {}
    return list(metrics.get("predictions", {}).get("not_ranked", []))


def _task(run: RunFolder) -> tuple[str, str, str]:
    return run.record.task.eval_split, run.record.split.hash, run.record.dataset.hash


def _refuse_unsound(run: RunFolder) -> None:
    record = run.record
    if record.status is not RunStatus.OK or run.metrics() is None:
        raise HarnessError(
            "only runs that ended well are compared",
            where=run.path,
            got=f"{record.status}: {record.reason}",
            expected=RunStatus.OK,
            mend="leave it out, or run it again",
        )


def _refuse_other_tasks(runs: Sequence[RunFolder]) -> None:
    asked: dict[str, Callable[[RunFolder], str]] = {
        "evaluation split": lambda run: run.record.task.eval_split,
        "split": lambda run: run.record.split.hash,
        "dataset": lambda run: run.record.dataset.hash,
        "list of genes": lambda run: run.record.genes_hash,
    }
    for what, of in asked.items():
        for run in runs:
            if of(run) != of(runs[0]):
                raise HarnessError(
                    f"these runs answered different tasks: the {what} differs",
                    where=run.path,
                    got=f"{run.record.task.name}, {run.record.task.eval_split}, {what} {of(run)[:12]}",
                    expected=f"{runs[0].record.task.name}, {runs[0].record.task.eval_split}, {of(runs[0])[:12]}, "
                    f"as {runs[0].path.name}",
                    mend="compare runs of one task; harness runs list shows which they answered",
                )


def _refuse_twice(runs: Sequence[RunFolder]) -> None:
    """A run and its rescored copy are one attempt: together they would count its conditions twice."""
    first: dict[str, RunFolder] = {}
    for run in runs:
        other = first.setdefault(run.record.attempt, run)
        if other is not run:
            raise HarnessError(
                "the same predictions stand here twice",
                where=run.path,
                got=f"those of {other.path.name}, scored anew"
                if run.record.rescored_from
                else other.path.name,
                mend="name one of the two runs",
            )


def _refuse_seed_twice(entrant: Entrant) -> None:
    for run, other in zip(entrant.runs, entrant.runs[1:], strict=False):
        if run.record.seed == other.record.seed:
            raise HarnessError(
                f"two runs of {entrant.name} have the same training seed",
                where=other.path,
                got=f"seed {run.record.seed} here and in {run.path.name}",
                expected="one run per seed",
                mend="name one of the two runs; harness submit … --seed N makes another seed",
            )


def _family(config: RunConfig) -> str:
    """What runs of one submission share whatever their seed."""
    content: dict[str, Any] = {
        "submission": config.submission.content_hash,
        "name": config.submission.name,
        "variant": config.submission.variant,
        "params": config.params.resolved,
    }
    return Digest("entrant").json("configuration", content).hexdigest()


def _names(configs: Sequence[RunConfig]) -> list[str]:
    """Names as short as tell the submissions apart: name, with the variant, with parameters, with the content's hash."""
    forms: tuple[Callable[[RunConfig], str], ...] = (
        lambda one: one.submission.name,
        lambda one: one.submission.name + (f"/{one.submission.variant}" if one.submission.variant else ""),
        lambda one: f"{forms[1](one)}{_params(one.params.passed)}",
        lambda one: f"{forms[2](one)} {one.submission.version}",
        lambda one: f"{forms[3](one)} {one.submission.content_hash[:7]}",
    )
    told = [forms[0](one) for one in configs]
    for form in forms[1:]:
        told = [
            form(config) if told.count(name) > 1 else name for name, config in zip(told, configs, strict=True)
        ]
    return told


def _params(passed: Mapping[str, Any]) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in sorted(passed.items()))})" if passed else ""
