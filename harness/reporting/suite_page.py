"""The report of a suite as a page: from its `report.json`, whose numbers it shows and does not add to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.metrics.card import Direction, cards
from harness.reporting.figures import Difference, forest, learning_curve
from harness.reporting.page import render

TEMPLATE = "suite.html.j2"
KINDS = {"supported": "good", "not supported": "bad", "go": "good", "no-go": "bad"}
"""How a verdict's word is shown; any other stands in between."""

ABSENT: dict[str, Any] = {"gates": [], "ablations": [], "data_efficiency": [], "audits": {}}
"""What a suite need not have, and older reports do not."""


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    report = ABSENT | dict(report)
    metrics = _metrics(report)
    return render(
        TEMPLATE,
        report=report,
        arrows={name: _arrow(name) for name in metrics},
        kind=lambda word: KINDS.get(word, "warn"),
        rows=[_ranked(table, metrics) for table in report["tasks"]],
        metrics=metrics,
        ablations=[(one, _forests(one["rows"])) for one in report["ablations"]],
        efficiency=_efficiency(report["data_efficiency"]),
    )


def _metrics(report: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    for table in report["tasks"]:
        for row in table["rows"]:
            found |= dict.fromkeys(row["scores"])
    return list(found)


def _arrow(metric: str) -> str:
    card = cards().get(metric)
    if card is None:
        return ""
    return {Direction.HIGHER: "↑", Direction.LOWER: "↓", Direction.TARGET: "→"}.get(card.direction, "")


def _ranked(table: Mapping[str, Any], metrics: Sequence[str]) -> list[Mapping[str, Any]]:
    """Best first by the first metric that anybody has a value of; who has none of it comes last."""
    valued = [name for name in metrics if any(_value(row, name) is not None for row in table["rows"])]
    if not valued:
        return list(table["rows"])
    first = valued[0]
    sign = -1.0 if cards()[first].direction is Direction.HIGHER else 1.0
    told = [(_value(row, first), row) for row in table["rows"]]
    known = sorted((one for one in told if one[0] is not None), key=lambda one: sign * (one[0] or 0.0))
    return [row for _, row in known] + [row for value, row in told if value is None]


def _value(row: Mapping[str, Any], metric: str) -> float | None:
    score = row["scores"].get(metric)
    return None if score is None else score["value"]


def _forests(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """One picture per task and metric: differences of one metric share a scale."""
    groups: dict[tuple[str, str], list[Difference]] = {}
    for row in rows:
        told = row["interval"] or {}
        q = row["q"]
        said = row["reason"] or (f"q {q:.2g}" if q is not None else "")
        groups.setdefault((row["task"], row["metric"]), []).append(
            Difference(row["without"], told.get("estimate"), told.get("low"), told.get("high"), said)
        )
    return [
        (
            f"{metric} on {task}",
            forest(
                f"{metric} on {task}",
                found,
                worse="it does harm",
                better="it helps",
                reason="nothing is finished",
            ),
        )
        for (task, metric), found in groups.items()
    ]


def _efficiency(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup]]:
    """Value by share of the training cells, a line a submission, a picture a task."""
    found = []
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        shares = sorted({row["fraction"] for row in of_task})
        values = {
            name: [
                next(
                    (row["value"] for row in of_task if (row["entry"], row["fraction"]) == (name, share)),
                    None,
                )
                for share in shares
            ]
            for name in dict.fromkeys(row["entry"] for row in of_task)
        }
        drawn = learning_curve(
            f"{task}: by share of the training cells",
            shares,
            values,
            x_label="share of the training cells",
            reason="nothing is finished",
        )
        found.append((task, drawn))
    return found
