"""`metrics.parquet`: every value of `metrics.json` and of every condition, a row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from harness.metrics.registry import PANELS
from harness.scoring.score import ScoredCondition
from harness.tasks.truth import Truth

LEVELS = {
    "global": None,
    "per_context": "context",
    "per_perturbation": "perturbation",
    "per_stratum": "stratum",
}


class Line(NamedTuple):
    """One row of the long table."""

    run: str
    split: str
    panel: str
    subset: str
    """`reported`, `iid`, `supported`."""
    metric: str
    level: str
    """`global`, `context`, `perturbation`, `stratum`, `condition`."""
    context: str | None
    perturbation: str | None
    covariates: str | None
    stratum: str | None
    value: float | None
    n: int
    reason: str | None


SCHEMA = pa.schema(
    [
        (name, pa.float64() if name == "value" else pa.int64() if name == "n" else pa.string())
        for name in Line._fields
    ]
)


def long_table(
    run: str, document: Mapping[str, Any], scored: Sequence[ScoredCondition], truth: Truth
) -> pa.Table:
    """The long table of one scored run."""
    split = document["task"]["split"]["hash"]
    lines: list[Line] = []
    for subset, panels in {"reported": document, **document["subsets"]}.items():
        for panel in PANELS:
            lines += _level_lines(run, split, panel, subset, panels[panel])
    for panel in PANELS:
        lines += _condition_lines(run, split, panel, scored, truth)
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(Line._fields)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _level_lines(run: str, split: str, panel: str, subset: str, levels: Mapping[str, Any]) -> Iterator[Line]:
    for level, label in LEVELS.items():
        if level not in levels:
            continue
        groups = {None: levels[level]} if label is None else levels[level]
        for name, summaries in groups.items():
            for metric, summary in summaries.items():
                yield Line(
                    run,
                    split,
                    panel,
                    subset,
                    metric,
                    label or "global",
                    name if label == "context" else None,
                    name if label == "perturbation" else None,
                    None,
                    name if label == "stratum" else None,
                    summary["value"],
                    summary["n"],
                    summary.get("reason"),
                )


def _condition_lines(
    run: str, split: str, panel: str, scored: Sequence[ScoredCondition], truth: Truth
) -> Iterator[Line]:
    for one in scored:
        asked = truth.conditions[one.index]
        context, pert, covariates = asked.condition
        for metric, value in one.values.items():
            yield Line(
                run,
                split,
                panel,
                asked.kind,
                metric,
                "condition",
                context,
                pert,
                "|".join(covariates) or None,
                asked.stratum,
                value,
                len(asked.rows),
                one.reasons.get(metric),
            )
