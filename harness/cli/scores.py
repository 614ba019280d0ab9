"""How scores are shown: each metric with its value, which way is better, how many conditions stand behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARROWS = {"lower": "↓", "higher": "↑", "none": ""}


def score_rows(document: Mapping[str, Any]) -> list[list[object]]:
    """Rows of the table: metric, value, n, value on iid conditions."""
    from harness.metrics.registry import block_metrics

    rows: list[list[object]] = []
    for panel in document["panels"]:
        reported, iid = document[panel]["global"], document["subsets"]["iid"][panel]["global"]
        for metric in block_metrics(panel):
            name, card = metric.card.name, metric.card
            arrow = ARROWS.get(card.direction.value, f"→ {card.optimum}")
            summary = reported[name]
            rows.append(
                [f"{name} {arrow}", number(summary["value"]), summary["n"], number(iid[name]["value"])]
            )
    return rows


def print_scores(title: str, document: Mapping[str, Any]) -> None:
    """The table of one scored run, and what has to be said beside it."""
    import typer

    from harness.cli.show import print_table

    print_table(title, ["metric", "value", "conditions", "in distribution"], score_rows(document))
    for panel in document["panels"]:
        for name, summary in document[panel]["global"].items():
            if "reason" in summary:
                typer.echo(
                    f"{name}: undefined in {summary.get('undefined', 0)} conditions: {summary['reason']}"
                )
    typer.echo(f"variance: {document['variance']['source']} ({document['variance']['kind']})")
    for reason in document["predictions"]["not_ranked"]:
        typer.echo(f"not ranked: {reason}")


def number(value: float | None) -> str:
    """A value for the eye; a missing one is a dash, never 0."""
    return "–" if value is None else f"{value:.4f}"
