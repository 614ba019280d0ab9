"""Scores of several tasks as one table: contexts of different tasks are different contexts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.scoring.score_table import ScoreTable


def pooled(tables: Mapping[str, ScoreTable]) -> ScoreTable:
    """The reported conditions of every task, one task below the other; values of the whole task have no pooled value."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    told = {name: table.of_kind() for name, table in sorted(tables.items())}
    metrics = sorted(set.intersection(*(set(table.values) for table in told.values())))
    conditions = tuple(
        one._replace(context=f"{name} {one.context}")
        for name, table in told.items()
        for one in table.conditions
    )
    values = {metric: np.concatenate([table.values[metric] for table in told.values()]) for metric in metrics}
    return ScoreTable(conditions, values, {})
