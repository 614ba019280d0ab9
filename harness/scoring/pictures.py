"""`pictures.json`: the few numbers behind a page's pictures that only the truth knows, kept while it is open.

By condition: how novel it was, how strong its effect, how wrong the prediction. For the best, the median and the worst of
them, the predicted and the observed delta of the genes that moved most: with their names on validation; on test without,
so that a page tells nobody which genes a hidden perturbation moves.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Value, cards
from harness.scoring.engine import Engine, Scored
from harness.scoring.long_table import condition_values
from harness.scoring.seen import seen_classes

PICTURES_FILE = "pictures.json"
ERRORS = ("calibrated.wmse", "calibrated.mse")
"""What the examples are chosen by: the first that any condition has."""
RANK = "calibrated.retrieval"
MOST_GENES = 40
OBSERVED_SHARE = 0.75
"""Of the genes shown; the others are those that the prediction moves most."""
DIGITS = 6

Row = NDArray[np.float64]


def pictures_document(engine: Engine, scored: Scored) -> dict[str, Any]:
    """The content of `pictures.json`."""
    found: dict[tuple[int, str], Value] = {
        (index, f"{panel}.{metric}"): value for index, panel, metric, value in condition_values(scored)
    }

    def column(metric: str) -> list[float | None]:
        return [_number(found.get((index, metric))) for index in scored.indices]

    error = next((one for one in ERRORS if any(v is not None for v in column(one))), ERRORS[0])
    conditions = _conditions(engine, scored) | {"error": column(error), "rank": column(RANK)}
    return {
        "schema": 1,
        "error": _about(error),
        "rank": _about(RANK),
        "named": engine.inputs.task.card.eval_split == "val",
        "conditions": conditions,
        "examples": _examples(engine, scored, conditions),
    }


def _conditions(engine: Engine, scored: Scored) -> dict[str, list[Any]]:
    """What is known of each condition but its scores, column by column."""
    asked = [engine.truth.conditions[index] for index in scored.indices]
    train = engine.inputs.split.rows("train")
    of_row = engine.inputs.dataset.conditions.of_row[train]
    table = engine.inputs.dataset.conditions.table
    contexts = {table[i].context for i in np.unique(of_row[of_row >= 0]).tolist()}
    distance = (
        [None] * len(asked) if scored.distance is None else [_number(one) for one in scored.distance.tolist()]
    )
    return {
        "context": [one.condition.context for one in asked],
        "perturbation": [one.condition.pert for one in asked],
        "covariates": ["|".join(one.condition.covariates) for one in asked],
        "kind": [one.kind for one in asked],
        "stratum": [one.stratum for one in asked],
        "cells": [len(one.rows) for one in asked],
        "seen": seen_classes(
            engine.inputs.dataset, engine.inputs.split, [one.condition.pert for one in asked]
        ),
        "context_seen": [one.condition.context in contexts for one in asked],
        "distance": distance,
        "effect": [_number(one) for one in scored.sizes[:, 0].tolist()],
        "predicted": [_number(one) for one in scored.sizes[:, 1].tolist()],
        "supported": [engine.answers.supported(index) for index in scored.indices],
    }


def _examples(engine: Engine, scored: Scored, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The best, the median and the worst of the reported conditions that have an error."""
    known = [
        (columns["error"][at], at)
        for at in range(len(scored.indices))
        if columns["kind"][at] == "reported" and columns["error"][at] is not None
    ]
    ordered = [at for _, at in sorted(known)]
    if not ordered:
        return []
    chosen = {"best": ordered[0], "median": ordered[(len(ordered) - 1) // 2], "worst": ordered[-1]}
    return [
        {
            "which": which,
            "context": columns["context"][at],
            "perturbation": columns["perturbation"][at],
            "covariates": columns["covariates"][at],
            "error": columns["error"][at],
        }
        | _genes(engine, scored.indices[at])
        for which, at in chosen.items()
    ]


def _genes(engine: Engine, index: int) -> dict[str, Any]:
    observed = engine.truth.delta(engine.inputs.dataset, index)
    predicted: Row = engine.answers.mean([index])[0]
    shown = top_genes(observed, predicted)
    card = engine.inputs.task.card
    names = card.genes if card.eval_split == "val" else None
    return {
        "of": len(observed),
        "genes": None if names is None else [names[gene] for gene in shown],
        "observed": [_number(float(observed[gene])) for gene in shown],
        "predicted": [_number(float(predicted[gene])) for gene in shown],
    }


def top_genes(observed: Row, predicted: Row, most: int = MOST_GENES) -> list[int]:
    """The genes that moved most, and those that were told to, the strongest observed first; ties by position."""
    by_observed = np.argsort(-np.abs(observed), kind="stable").tolist()
    by_predicted = np.argsort(-np.abs(predicted), kind="stable").tolist()
    chosen: list[int] = by_observed[: round(most * OBSERVED_SHARE)]
    chosen += [gene for gene in by_predicted if gene not in set(chosen)][: most - len(chosen)]
    return sorted(chosen, key=lambda gene: (-abs(observed[gene]), gene))


def _about(metric: str) -> dict[str, Any]:
    return {"metric": metric, "higher_is_better": cards()[metric].direction is Direction.HIGHER}


def _number(value: Value | None) -> float | None:
    """As many digits as a picture needs; None for what is undefined."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
