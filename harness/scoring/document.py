"""`metrics.json`: what was scored, by which panels, and every value with its n. The same inputs give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.contract.task import EvalSplit, NamedHash
from harness.metrics.registry import PANELS, block_metrics
from harness.scoring.answers import Answers
from harness.scoring.levels import panel_levels
from harness.scoring.score import ScoredCondition, Variance
from harness.tasks.truth import Truth

FINAL_PANELS = ("scperturbench", "perturbench", "celleval", "uncertainty")
RowsKind = Literal["query", "dataset"]
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


def metrics_document(
    task: ScoredTask,
    truth: Truth,
    answers: Answers,
    variance: Variance,
    scored: Sequence[ScoredCondition],
    *,
    rows: RowsKind,
) -> dict[str, Any]:
    """Everything that `metrics.json` holds."""
    reported = of_kind(scored, truth, "reported")
    supported = [one for one in reported if answers.supported(one.index)]
    missing = [name for name in FINAL_PANELS if name not in PANELS]
    not_ranked = [f"panels are incomplete: {', '.join(missing)} are not computed"] if missing else []
    return {
        "schema": 1,
        "task": {
            "name": task.name,
            "dataset": task.dataset.model_dump(),
            "split": task.split.model_dump(),
            "eval_split": task.eval_split,
        },
        "panels": list(PANELS),
        "complete": not missing,
        "missing_panels": missing,
        "predictions": {
            "rows": rows,
            "blinded": rows == "query",
            "not_ranked": not_ranked + ([NOT_BLINDED] if rows == "dataset" else []),
            "notes": list(answers.file.notes),
        },
        "variance": {"source": variance.source, "kind": variance.kind}
        | ({"reason": variance.reason} if variance.reason else {}),
        "supported": _support_shares(answers),
        "conditions": dict(Counter(asked.kind for asked in truth.conditions)),
        "notes": list(truth.notes),
        **_panels(reported, truth),
        "subsets": {
            "iid": _panels(of_kind(scored, truth, "iid"), truth),
            "supported": _panels(supported, truth),
        },
    }


def of_kind(scored: Sequence[ScoredCondition], truth: Truth, kind: str) -> list[ScoredCondition]:
    """The scored conditions of one kind."""
    return [one for one in scored if truth.conditions[one.index].kind == kind]


def _panels(scored: Sequence[ScoredCondition], truth: Truth) -> dict[str, Any]:
    return {name: panel_levels(scored, truth, [m.card.name for m in block_metrics(name)]) for name in PANELS}


def _support_shares(answers: Answers) -> dict[str, float] | None:
    """Shares of rows that are native, by extension, fallback; None where the submission did not say."""
    told = answers.file.supported
    if told is None:
        return None
    counts = np.bincount(np.asarray(told), minlength=3)
    return {
        name: counts[code].item() / len(told) for code, name in enumerate(("fallback", "extension", "native"))
    }
