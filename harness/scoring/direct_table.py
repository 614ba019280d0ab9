"""The score table of a score, straight from its stages: what `ScoreTable.of` reads from the long table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from harness.metrics.card import Undefined, Value
from harness.metrics.registry import panels
from harness.metrics.uncertainty import CONDITION_NAMES, task_values
from harness.metrics.uncertainty_document import level
from harness.scoring.document import UNCERTAINTY, level_only_panels
from harness.scoring.engine import Engine
from harness.scoring.engine import Scored as Stages
from harness.scoring.evaluate import Evaluation
from harness.scoring.levels import PanelLevels
from harness.scoring.long_table import condition_values
from harness.scoring.score_table import Floats, Scored, ScoreTable
from harness.scoring.threads import one_blas_thread
from harness.tasks.truth import Truth


def scored_table(engine: Engine) -> ScoreTable:
    """All stages in this process; the values of `evaluate`, to the last bit, without its documents."""
    with tempfile.TemporaryDirectory(prefix="harness-score-") as scratch:
        folder = Path(scratch) / "shard-1-of-1"
        engine.score_shard(1, 1, folder)
        rest = Path(scratch) / "rest"
        rest.mkdir()
        with one_blas_thread():
            return direct_table(engine.finish([folder], rest), engine.truth)


def table_of(evaluation: Evaluation) -> ScoreTable:
    """The table of predictions that were scored with their documents."""
    return direct_table(evaluation.scored, evaluation.engine.truth)


def direct_table(stages: Stages, truth: Truth) -> ScoreTable:
    """The values of every condition and of the task."""
    found = list(condition_values(stages))
    asked = {index: _named(truth, index) for index, _, _, _ in found}
    conditions = tuple(sorted(asked.values()))
    place = {one: i for i, one in enumerate(conditions)}
    values: dict[str, Floats] = {}
    for index, panel, metric, value in found:
        column = values.setdefault(f"{panel}.{metric}", np.full(len(conditions), np.nan))
        column[place[asked[index]]] = _number(value)
    return ScoreTable(conditions, values, _overall(stages, truth))


def _overall(stages: Stages, truth: Truth) -> dict[str, float]:
    reported = [one for one in stages.contexts if one.kind == "reported"]
    found: dict[str, float] = {}
    for panel in level_only_panels():
        whole = PanelLevels.of(panel, truth, reported).whole()
        found |= {f"{panel.name}.{metric}": _told(one["value"]) for metric, one in whole.items()}
    summary = stages.summary
    positions = summary.forecasts.of_kind("reported").tolist()
    for name in CONDITION_NAMES:
        column = summary.values[name]
        found[f"{UNCERTAINTY}.{name}"] = _told(level([column[i] for i in positions])["value"])
    found |= {f"{UNCERTAINTY}.{name}": _number(one) for name, one in task_values(summary).items()}
    order = [f"{name}.{metric}" for name, panel in panels().items() for metric in panel.metrics]
    return {name: found[name] for name in order if name in found} | found


def _named(truth: Truth, index: int) -> Scored:
    asked = truth.conditions[index]
    context, pert, covariates = asked.condition
    return Scored(context, pert, "|".join(covariates), asked.kind, asked.stratum or "", len(asked.rows))


def _number(value: Value) -> float:
    return float("nan") if isinstance(value, Undefined) else value


def _told(value: float | None) -> float:
    return float("nan") if value is None else value
