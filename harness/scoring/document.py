"""`metrics.json`: what was scored, by which panels, and every value with its n. The same inputs give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.contract.task import EvalSplit, NamedHash
from harness.metrics import collapse
from harness.metrics.card import cards
from harness.metrics.celleval import STAMP as CELLEVAL
from harness.metrics.perturbench import STAMP as PERTURBENCH
from harness.metrics.registry import Panel, panels
from harness.metrics.uncertainty import task_values
from harness.metrics.uncertainty_document import uncertainty_document
from harness.scoring.answers import Answers, RowsKind
from harness.scoring.context_stage import ScoredContext
from harness.scoring.engine import Engine, Scored
from harness.scoring.levels import PanelLevels
from harness.scoring.truth_cache import metrics_version
from harness.tasks.truth import Truth

UNCERTAINTY = "uncertainty"
NOT_BLINDED = (
    "not blinded: idx are dataset rows, so whoever made the file could see which cells are asked for"
)


@dataclass(frozen=True)
class ScoredTask:
    """The task that predictions were scored on."""

    name: str
    dataset: NamedHash
    split: NamedHash
    eval_split: EvalSplit
    unit: str
    """`cell` or `profile`."""


def metrics_document(engine: Engine, scored: Scored) -> dict[str, Any]:
    """Everything that `metrics.json` holds."""
    task = _scored_task(engine)
    truth, answers, variance = engine.truth, engine.answers, scored.variance
    reported = level_panels(scored.contexts, truth, "reported")
    document: dict[str, Any] = {
        "schema": 2,
        "task": {
            "name": task.name,
            "dataset": task.dataset.model_dump(),
            "split": task.split.model_dump(),
            "eval_split": task.eval_split,
            "unit": task.unit,
        },
        "panels": list(panels()),
        "versions": versions(),
        "predictions": _predictions(answers, engine.inputs.rows),
        "variance": {"source": variance.source, "kind": variance.kind}
        | ({"reason": variance.reason} if variance.reason else {}),
        "supported": _support_shares(answers),
        "conditions": dict(Counter(asked.kind for asked in truth.conditions)),
        "notes": list(truth.notes),
        **reported,
        UNCERTAINTY: uncertainty_document(scored.summary, task_values(scored.summary)),
        "subsets": {
            "iid": level_panels(scored.contexts, truth, "iid"),
            "supported": _supported(scored.contexts, truth, answers, reported),
        },
    }
    del document["subsets"]["supported"][collapse.PANEL]  # of all predictions of a context or of none
    spreads = [one.spread for one in scored.contexts if one.kind == "reported"]
    document[collapse.PANEL]["flag"] = collapse.flag(collapse.global_values(spreads)["variance_ratio"])
    missing = missing_metrics(document)
    return document | {"complete": not missing, "missing": missing}


def level_panels(
    contexts: Sequence[ScoredContext],
    truth: Truth,
    kind: str,
    keep: Callable[[int], bool] = lambda _: True,
) -> dict[str, Any]:
    """The levels of every panel but uncertainty, for the conditions of a kind."""
    chosen = [one for one in contexts if one.kind == kind]
    return {panel.name: PanelLevels.of(panel, truth, chosen, keep).levels() for panel in level_only_panels()}


def _supported(
    contexts: Sequence[ScoredContext], truth: Truth, answers: Answers, reported: Mapping[str, Any]
) -> dict[str, Any]:
    """The levels of the reported conditions in which the model itself speaks; often all of them."""
    asked = [one.index for context in contexts if context.kind == "reported" for one in context.conditions]
    if all(map(answers.supported, asked)):
        return dict(reported)
    return level_panels(contexts, truth, "reported", answers.supported)


def level_only_panels() -> list[Panel]:
    """The panels whose document is their levels."""
    return [panel for name, panel in panels().items() if name != UNCERTAINTY]


def missing_metrics(document: Mapping[str, Any]) -> list[str]:
    """Metrics of any panel that have neither a value nor a reason, be it for a single condition."""
    missing = []
    for name, panel in panels().items():
        found = document.get(name, {}).get("global", {})
        for metric in panel.metrics:
            summary = found.get(metric, {})
            lacking = summary.get("value") is None or summary.get("undefined", 0) > 0
            if lacking and not summary.get("reason"):
                missing.append(f"{name}.{metric}")
    return missing


def versions() -> dict[str, Any]:
    """What the values are versions of: results of different ones never share a table."""
    by_panel: dict[str, dict[str, str]] = {name: {} for name in panels()}
    for card in cards().values():
        if card.panel in by_panel:
            by_panel[card.panel][card.name] = card.version
    semantics = {"celleval": CELLEVAL, "perturbench": PERTURBENCH}
    return {"code": metrics_version()[:12], "metrics": by_panel, "semantics": semantics}


def _scored_task(engine: Engine) -> ScoredTask:
    card = engine.inputs.task.card
    return ScoredTask(card.name, card.dataset, card.split, card.eval_split, card.unit)


def _predictions(answers: Answers, rows: RowsKind) -> dict[str, Any]:
    return {
        "rows": rows,
        "blinded": rows == "query",
        "not_ranked": [NOT_BLINDED] if rows == "dataset" else [],
        "notes": list(answers.file.notes),
    }


def _support_shares(answers: Answers) -> dict[str, float] | None:
    """Shares of rows that are native, by extension, fallback; None where the submission did not say."""
    told = answers.file.supported
    if told is None:
        return None
    counts = np.bincount(np.asarray(told), minlength=3)
    return {
        name: counts[code].item() / len(told) for code, name in enumerate(("fallback", "extension", "native"))
    }
