"""`harness metrics`: what each number means, which way is better, and when not to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.metrics.card import Card

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Metrics: list, describe.")


def complete_metric(incomplete: str) -> list[str]:
    """Names of metrics, with their panel."""
    from harness.metrics.card import cards

    return [name for name in cards() if name.startswith(incomplete)]


@app.command("list")
def list_metrics(
    panel: str = typer.Option(None, help="Those of one panel."), as_json: bool = JSON_OPTION
) -> None:
    """List every metric of every panel.

    Example: `harness metrics list --panel calibrated`
    """
    from harness.cli.scores import check_panels
    from harness.cli.show import print_json, print_table
    from harness.metrics.registry import panel_cards

    if panel is not None:
        check_panels([panel])
    found = [card for card in panel_cards() if panel in (None, card.panel)]
    if as_json:
        print_json([card_document(card) for card in found])
        return
    rows = [
        [
            card.panel,
            card.name,
            direction(card),
            card.unit,
            ", ".join(card.needs),
            "yes" if card.may_rank else "no",
        ]
        for card in found
    ]
    print_table("Metrics", ["panel", "metric", "better", "computed per", "needs", "may rank"], rows)


@app.command()
def describe(
    name: str = typer.Argument(
        help="A metric, or panel.metric where several panels have it.", autocompletion=complete_metric
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Describe one metric: formula, reference, direction, range, what it needs, when it misleads, whether it may rank.

    Example: `harness metrics describe pcc_delta`
    """
    from harness.cli.show import print_card, print_json
    from harness.metrics.registry import find_cards

    found = find_cards(name)
    if as_json:
        print_json([card_document(card) for card in found])
        return
    for card in found:
        facts = card_document(card)
        print_card(
            f"{card.panel}.{card.name}", {key: facts[key] for key in facts if key not in ("panel", "name")}
        )


def card_document(card: Card) -> dict[str, Any]:
    """A card as facts in reading order; an end of the range that is infinite is text."""
    low, high = (end if abs(end) != float("inf") else ("−∞" if end < 0 else "∞") for end in card.range)
    return {
        "panel": card.panel,
        "name": card.name,
        "formula": card.description,
        "reference": card.reference,
        "better": direction(card),
        "optimum": card.optimum,
        "range": f"[{low}, {high}]",
        "computed per": card.unit,
        "needs": ", ".join(card.needs),
        "misleads": card.pathologies or "no known case",
        "may rank": card.may_rank,
        "version": card.version,
    }


def direction(card: Card) -> str:
    """Which way is better, in words."""
    if card.direction.value == "target":
        return f"near {card.optimum:g}" if card.optimum is not None else "near the optimum"
    return "it only describes" if card.direction.value == "none" else card.direction.value
