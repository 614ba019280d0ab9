"""`metrics.parquet`: every value of `metrics.json` and of every condition, a row each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from harness.metrics.card import Undefined, Value
from harness.metrics.registry import panels
from harness.scoring.document import UNCERTAINTY
from harness.scoring.engine import Scored
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
    n: int | None
    """Conditions behind the value; of a condition its test cells."""
    reason: str | None


SCHEMA = pa.schema(
    [
        (name, pa.float64() if name == "value" else pa.int64() if name == "n" else pa.string())
        for name in Line._fields
    ]
)


def long_table(run: str, document: Mapping[str, Any], scored: Scored, truth: Truth) -> pa.Table:
    """The long table of one scored run."""
    split = document["task"]["split"]["hash"]
    lines: list[Line] = []
    for subset, held in {"reported": document, **document["subsets"]}.items():
        for panel in panels():
            if panel in held:
                lines += _level_lines(run, split, panel, subset, held[panel])
    iid = {"global": document[UNCERTAINTY]["iid"]}
    lines += _level_lines(run, split, UNCERTAINTY, "iid", iid)
    lines += _condition_lines(run, split, condition_values(scored), truth)
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(Line._fields)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _level_lines(run: str, split: str, panel: str, subset: str, levels: Mapping[str, Any]) -> Iterator[Line]:
    for level, label in LEVELS.items():
        if level not in levels:
            continue
        groups = {None: levels[level]} if label is None else levels[level]
        for name, summaries in groups.items():
            for metric, summary in sorted(summaries.items()):
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
                    summary.get("n"),
                    summary.get("reason"),
                )


def condition_values(scored: Scored) -> Iterator[tuple[int, str, str, Value]]:
    """Position among the truth's conditions, panel, metric and value of every condition."""
    for context in scored.contexts:
        for one in context.conditions:
            for panel, values in one.values.items():
                for metric, value in values.items():
                    yield one.index, panel, metric, value
    for metric, column in scored.summary.values.items():
        for index, value in zip(scored.indices, column, strict=True):
            yield index, UNCERTAINTY, metric, value


def _condition_lines(
    run: str, split: str, values: Iterable[tuple[int, str, str, Value]], truth: Truth
) -> Iterator[Line]:
    for index, panel, metric, value in values:
        asked = truth.conditions[index]
        context, pert, covariates = asked.condition
        reason = value.reason if isinstance(value, Undefined) else None
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
            None if isinstance(value, Undefined) else value,
            len(asked.rows),
            reason,
        )
