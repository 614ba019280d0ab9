"""The report of a suite as a page: from its `report.json`, whose numbers it shows and does not add to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from harness.metrics.card import Direction, cards
from harness.reporting.figures import Difference, forest, learning_curve
from harness.reporting.page import render

TEMPLATE = "suite.html.j2"
KINDS = {
    "supported": "good", "holds": "good", "go": "good", "yes": "good", "contradicted": "bad", "refuted": "bad",
    "no-go": "bad", "no go": "bad", "no": "bad",
}  # fmt: skip
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
        kind=lambda word: KINDS.get(str(word).replace("_", " "), "warn"),
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
    """Best first, by the scaled score of the first metric that has one; who has none comes last."""

    def place(row: Mapping[str, Any]) -> tuple[bool, float, str]:
        scaled = [score["scaled"] for name in metrics if (score := row["scores"].get(name))]
        first = next((one for one in scaled if one is not None), None)
        return first is None, -(first or 0.0), str(row["name"])

    return sorted(table["rows"], key=place)


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
