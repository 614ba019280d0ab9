"""How scores are shown: each metric with its value, which way is better, how many conditions stand behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ARROWS = {"lower": "↓", "higher": "↑", "none": ""}


def score_rows(document: Mapping[str, Any], names: Sequence[str]) -> list[list[object]]:
    """Rows of a table: metric, value, n, value on iid conditions. Names are `panel.metric`."""
    from harness.metrics.card import cards

    known = cards()
    rows: list[list[object]] = []
    for name in names:
        panel, _, metric = name.partition(".")
        card = known[name]
        arrow = ARROWS.get(card.direction.value, f"→ {card.optimum}")
        summary = document[panel]["global"][metric]
        iid = _iid(document, panel).get(metric, {})
        conditions = summary.get("n", document["conditions"].get("reported", 0))
        rows.append(
            [f"{metric} {arrow}", panel, number(summary["value"]), conditions, number(iid.get("value"))]
        )
    return rows


def check_panels(names: Sequence[str]) -> None:
    """Refuse the name of a panel that does not exist, with the nearest one."""
    from harness.errors import UnknownNameError
    from harness.metrics.registry import panels

    for name in names:
        if name not in panels():
            raise UnknownNameError("panel", name, panels())


def headline(document: Mapping[str, Any]) -> list[str]:
    """The metrics that a summary shows: the headline set, as far as the document has it."""
    from harness.metrics.registry import HEADLINE

    return [name for name in HEADLINE if name.split(".")[1] in _global(document, name.split(".")[0])]


def print_scores(title: str, document: Mapping[str, Any], panels: Sequence[str] = ()) -> None:
    """The headline of one scored run, or whole panels, and what has to be said beside them."""
    from harness.cli.show import print_table

    names = [f"{panel}.{metric}" for panel in panels for metric in _global(document, panel)]
    names = names or headline(document)
    columns = ["metric", "panel", "value", "conditions", "in distribution"]
    print_table(title, columns, score_rows(document, names))
    print_remarks(document, names)


def print_remarks(document: Mapping[str, Any], names: Sequence[str]) -> None:
    """What has to be said beside some scores: why one has no value, where the variance comes from, what forbids a rank."""
    import typer

    for name in names:
        panel, _, metric = name.partition(".")
        summary = _global(document, panel)[metric]
        if summary["value"] is None:
            typer.echo(f"{metric}: undefined: {summary['reason']}")
    typer.echo(f"variance: {document['variance']['source']} ({document['variance']['kind']})")
    for reason in document["predictions"]["not_ranked"]:
        typer.echo(f"not ranked: {reason}")


def number(value: float | None) -> str:
    """A value for the eye; a missing one is a dash, never 0."""
    return "–" if value is None else f"{value:.4f}"


def _global(document: Mapping[str, Any], panel: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document.get(panel, {}).get("global", {})
    return found


def _iid(document: Mapping[str, Any], panel: str) -> Mapping[str, Any]:
    if panel == "uncertainty":
        own: Mapping[str, Any] = document[panel]["iid"]
        return own
    found: Mapping[str, Any] = document["subsets"]["iid"][panel]["global"]
    return found
