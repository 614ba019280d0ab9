"""What a sweep chose: every point by the declared metric, and how sure the first place is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.contract.manifest import Param
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.metrics.card import cards
from harness.records.run_folder import TABLE_FILE, RunFolder
from harness.records.versions import refuse_mixed_versions
from harness.scoring.score_table import Floats, ScoreTable
from harness.statistics.intervals import Interval, paired_intervals
from harness.suites.cells import EVAL_SPLIT, Grid
from harness.suites.pooled import pooled
from harness.suites.standing import Standing
from harness.suites.sweep_file import Point, SweepFile
from harness.verdicts.intervals import Side, match


@dataclass(frozen=True)
class Place:
    """One point."""

    point: Point
    runs: tuple[RunFolder, ...]
    value: float | None
    """Mean of the metric over the conditions that all points define, as it stands; None where it is not ranked."""
    behind: Interval | None
    """Paired difference of the winner to it, above 0 where the winner is better; None of the winner."""
    reason: str
    """Why it is not ranked."""


@dataclass(frozen=True)
class Choice:
    """The points of a sweep, best first; those that could not be ranked last."""

    sweep: SweepFile
    places: tuple[Place, ...]
    conditions: int
    """Conditions that all ranked points define."""
    unfinished: int
    """Runs that do not stand yet."""

    @property
    def winner(self) -> Place | None:
        return self.places[0] if self.places and self.places[0].value is not None else None

    @property
    def runner_up(self) -> Place | None:
        ranked = [one for one in self.places if one.value is not None]
        return ranked[1] if len(ranked) > 1 else None

    @property
    def word(self) -> str:
        """How sure the first place is."""
        if self.winner is None:
            return "nothing can be ranked yet" if self.unfinished else "nothing can be ranked"
        if self.runner_up is None or self.runner_up.behind is None:
            return "the only point that could be ranked"
        gap = self.runner_up.behind
        if not math.isfinite(gap.low):
            return f"ahead of the runner-up; no interval: {gap.reason}"
        sure = "shown to be better" if gap.above else "not shown to be better"
        return f"{sure} than the runner-up: {gap.estimate:+.3g} [{gap.low:.3g}, {gap.high:.3g}], {gap.level:.0%} interval"

    def document(self) -> dict[str, Any]:
        """The choice as a JSON object."""
        return {
            "schema": 1,
            "sweep": self.sweep.name,
            "metric": self.sweep.metric,
            "eval_split": EVAL_SPLIT,
            "conditions": self.conditions,
            "unfinished": self.unfinished,
            "winner": None if self.winner is None else _point(self.winner.point),
            "runner_up": None if self.runner_up is None else _point(self.runner_up.point),
            "word": self.word,
            "points": [_document(one) for one in self.places],
        }


def choose(sweep: SweepFile, grid: Grid, stand: Standing) -> Choice:
    """Rank the points by their mean over shared conditions, contexts of all tasks counting equally."""
    found = {point.name: _runs_of(point, grid, stand) for point in sweep.all_points()}
    refuse_test(run for runs, _ in found.values() for run in runs)
    ranked = {name: runs for name, (runs, reason) in found.items() if not reason}
    unranked = [
        Place(point, tuple(found[point.name][0]), None, None, found[point.name][1])
        for point in sweep.all_points()
        if found[point.name][1]
    ]
    unfinished = sum(cell.config_hash not in stand.runs for cell in grid.cells)
    if not ranked:
        return Choice(sweep, tuple(unranked), 0, unfinished)
    refuse_mixed_versions([run for runs in ranked.values() for run in runs], [sweep.metric])
    sides = {name: _side(name, runs) for name, runs in ranked.items()}
    values, contexts, perturbations = _shared(list(sides.values()), sweep.metric)
    means = {
        name: paired_intervals(one, None, contexts, perturbations, resamples=0)[0].estimate
        for name, one in zip(sides, values, strict=True)
    }
    order = sorted(sides, key=lambda name: -means[name] if math.isfinite(means[name]) else math.inf)
    of_name = dict(zip(sides, values, strict=True))
    points = {point.name: point for point in sweep.all_points()}
    turned = -1.0 if cards()[sweep.metric].direction == "lower" else 1.0
    places = [
        Place(
            points[name],
            tuple(ranked[name]),
            turned * means[name] + 0.0 if math.isfinite(means[name]) else None,
            None
            if name == order[0]
            else paired_intervals(of_name[order[0]], of_name[name], contexts, perturbations)[0],
            "" if math.isfinite(means[name]) else "the metric has no value on the conditions of all points",
        )
        for name in order
    ]
    defined = int(np.isfinite(values[0]).all(axis=(1, 2)).sum())
    return Choice(sweep, (*places, *unranked), defined, unfinished)


def refuse_test(runs: Any) -> None:
    """A choice that has seen test is no choice; a run folder that was changed to say otherwise stops here too."""
    for run in runs:
        if run.record.task.eval_split != EVAL_SPLIT:
            raise HarnessError(
                "a sweep reads validation alone",
                where=run.path,
                got=f"a run on {run.record.task.eval_split}",
                expected=EVAL_SPLIT,
            )


def _runs_of(point: Point, grid: Grid, stand: Standing) -> tuple[list[RunFolder], str]:
    """The runs of a point that ended well, and why it is not ranked."""
    cells = [cell for cell in grid.cells if cell.entry == point.name]
    runs = [run for cell in cells if (run := stand.run(cell)) is not None]
    sound = [run for run in runs if run.record.status is RunStatus.OK]
    if len(runs) < len(cells):
        return sound, f"{len(cells) - len(runs)} of its {len(cells)} runs are not finished"
    bad = [run for run in runs if run.record.status is not RunStatus.OK]
    if bad:
        return (
            sound,
            f"{len(bad)} of its runs ended {bad[0].record.status}: {bad[0].record.reason.splitlines()[0]}",
        )
    return sound, ""


def _side(name: str, runs: Sequence[RunFolder]) -> Side:
    """One table per seed, the tasks one below the other."""
    by_seed: dict[int, dict[str, ScoreTable]] = {}
    for run in runs:
        table = ScoreTable.read(run.path / TABLE_FILE)
        task = f"{run.record.task.name} {run.record.split.hash[:7]}"
        by_seed.setdefault(run.record.seed, {})[task] = table
    return Side(name, tuple(pooled(tables) for _, tables in sorted(by_seed.items())))


def _shared(sides: Sequence[Side], metric: str) -> tuple[list[Floats], list[str], list[str]]:
    """Values of every side where all define them. [conditions, seeds, 1] each"""
    conditions = match(sides)
    values = [side.values([metric]) for side in sides]
    defined = np.all([np.isfinite(one).all(axis=(1, 2)) for one in values], axis=0)
    shared = [np.where(defined[:, None, None], one, np.nan) for one in values]
    return shared, [one.context for one in conditions], [one.perturbation for one in conditions]


def _point(point: Point) -> dict[str, Any]:
    params: Mapping[str, Param] = point.params
    return {"name": point.name, "submission": point.submission, "params": dict(params)}


def _document(one: Place) -> dict[str, Any]:
    return _point(one.point) | {
        "value": one.value,
        "runs": [run.path.name for run in one.runs],
        "winner_ahead_by": None if one.behind is None else one.behind.document(),
        "reason": one.reason or None,
    }
