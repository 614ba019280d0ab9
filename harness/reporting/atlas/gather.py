"""From the runs of a task to its atlas."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.metrics.card import Direction, cards
from harness.records.run_folder import TABLE_FILE, RunFolder
from harness.reporting.atlas.classes import tables
from harness.reporting.atlas.sheet import Atlas, Condition, Method
from harness.scoring.pictures import PICTURES_FILE
from harness.scoring.score_table import Floats, Scored, ScoreTable
from harness.storage import read_json
from harness.verdicts.claims_of_runs import controls_of_runs
from harness.verdicts.direction import goodness
from harness.verdicts.entrants import Entrant, gather

Key = tuple[str, str, str]
DEFAULT_METRIC = "calibrated.wmse"


class Chosen(NamedTuple):
    """The runs that an atlas is made of, and those that it leaves out with the reason."""

    runs: tuple[RunFolder, ...]
    left_out: tuple[tuple[str, str], ...]


def runs_of_task(runs: Sequence[RunFolder], task: str, eval_split: str) -> Chosen:
    """Every sound run of a task: of the newest definition of the metrics, each prediction once."""
    asked = [run for run in runs if run.record.task.name == task and run.record.task.eval_split == eval_split]
    left: list[tuple[str, str]] = []
    kept: dict[tuple[str, ...], RunFolder] = {}
    newest = next((run for run in reversed(asked) if PICTURES_FILE in run.record.files), None)
    for run in reversed(asked):
        reason = _unfit(run, newest, kept)
        if reason:
            left.append((run.record.run, reason))
        else:
            kept |= dict.fromkeys(_identities(run), run)
    if not kept:
        raise HarnessError(
            "no run of this task can be placed in an atlas",
            where=f"{task}, {eval_split}",
            got="; ".join(f"{name}: {reason}" for name, reason in left[:5]) or "no run of this task",
            expected=f"a run that ended well and has {PICTURES_FILE}",
            mend="harness submit makes one; harness rescore gives an older run its pictures",
        )
    return Chosen(tuple(run for run in asked if run in kept.values()), tuple(left))


def _identities(run: RunFolder) -> tuple[tuple[str, ...], ...]:
    """What two runs must not share: their predictions, or their configuration with the seed."""
    record = run.record
    return ("predictions", record.predictions_sha256 or record.run), ("configuration", record.config_hash)


def _unfit(run: RunFolder, newest: RunFolder | None, kept: Mapping[tuple[str, ...], RunFolder]) -> str:
    record = run.record
    if record.status is not RunStatus.OK:
        return f"{record.status}: {record.reason.splitlines()[0] if record.reason else 'no reason given'}"
    if newest is None or PICTURES_FILE not in record.files:
        return f"it has no {PICTURES_FILE}, so that nobody knows how new its conditions were; rescore it"
    for what, ours, theirs in (
        ("split", record.split.hash, newest.record.split.hash),
        ("dataset", record.dataset.hash, newest.record.dataset.hash),
        ("metrics", record.metrics_version, newest.record.metrics_version),
    ):
        if ours != theirs:
            return f"another version of the {what}: {(ours or 'none')[:12]}, the newest run has {(theirs or 'none')[:12]}"
    for identity in _identities(run):
        if identity in kept:
            return f"the same {identity[0]} as {kept[identity].record.run}"
    return ""


def make_atlas(chosen: Chosen, metric: str = DEFAULT_METRIC) -> Atlas:
    """The atlas of the runs of one task, by one metric."""
    card = cards()[metric]
    entrants = gather(chosen.runs, [metric])
    conditions = _conditions(chosen.runs[-1])
    keys = [(one.context, one.perturbation, one.covariates) for one in conditions]
    higher = card.direction is Direction.HIGHER
    methods = [_method(one, metric, keys) for one in entrants]
    sign = -1 if higher else 1
    methods.sort(key=lambda one: (one.mean is None, sign * (one.mean or 0.0), one.name))
    controls = controls_of_runs(chosen.runs)
    best = None if controls is None else controls.strongest(metric)
    if best is not None:
        values = _mean_over([best.tables[0]], metric, keys)
        told = _number(float(best.tables[0].overall.get(metric, math.nan)))
        methods.insert(0, Method(f"baseline {best.card.name}", (), values, told, control=True))
    record = chosen.runs[-1].record
    return Atlas(
        record.task.name,
        record.task.eval_split,
        record.split.hash,
        metric,
        higher,
        methods[0].name if best is not None else None,
        conditions,
        tuple(methods),
        tables(conditions, methods, _goodness(metric)),
        chosen.left_out,
    )


def _conditions(run: RunFolder) -> tuple[Condition, ...]:
    columns: dict[str, list[Any]] = read_json(run.path / PICTURES_FILE, "pictures")["conditions"]
    return tuple(
        Condition(*row)
        for kind, *row in zip(
            columns["kind"],
            columns["context"],
            columns["perturbation"],
            columns["covariates"],
            columns["cells"],
            columns["seen"],
            columns["context_seen"],
            columns["distance"],
            columns["effect"],
            strict=True,
        )
        if kind == "reported"
    )


def _method(entrant: Entrant, metric: str, keys: Sequence[Key]) -> Method:
    tables_of = [ScoreTable.read(run.path / TABLE_FILE) for run in entrant.runs]
    overall = [table.overall.get(metric, math.nan) for table in tables_of]
    return Method(
        entrant.name,
        tuple(run.record.run for run in entrant.runs),
        _mean_over(tables_of, metric, keys),
        _number(float(np.mean(overall))),
    )


def _mean_over(found: Sequence[ScoreTable], metric: str, keys: Sequence[Key]) -> tuple[float | None, ...]:
    """By condition the mean over seeds; none where one of them has no value."""
    columns: list[Floats] = []
    for table in found:
        told = table.of_kind()
        nothing = np.full(len(told.conditions), np.nan)
        place = {_key(one): at for at, one in enumerate(told.conditions)}
        values = told.values.get(metric, nothing)
        columns.append(np.array([values[place[key]] if key in place else np.nan for key in keys]))
    return tuple(_number(float(one)) for one in np.mean(columns, axis=0))


def _goodness(metric: str) -> Any:
    card = cards()[metric]

    def turned(values: Sequence[float | None]) -> Floats:
        return goodness(card, np.array([np.nan if one is None else one for one in values], np.float64))

    return turned


def _key(one: Scored) -> Key:
    return one.context, one.perturbation, one.covariates


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
