"""The panels: which metrics each has, and how its values are brought together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from harness.errors import UnknownNameError
from harness.metrics.card import Card, cards

OVER_GENES = re.compile(r"_(top\d+|all)$")
Weight = Literal["test cells", "conditions"]
HEADLINE = (
    "calibrated.wmse", "calibrated.pcc_delta_centred", "calibrated.retrieval", "calibrated.energy_skill",
    "uncertainty.crps_skill", "uncertainty.coverage_90_error",
)  # fmt: skip
"""The set that a scorecard begins with; the first carries claims and gates."""


@dataclass(frozen=True)
class Panel:
    """One family of metrics."""

    name: str
    title: str
    metrics: tuple[str, ...]
    """Every value that it always has, or a reason."""
    weight: Weight
    """What counts equally where values are averaged: cells as published, conditions (and contexts) where calibrated."""


@cache
def panels() -> dict[str, Panel]:
    """Every panel by name."""
    from harness.metrics import (
        celleval,
        collapse,
        perturbench,
        retrieval,
        scperturbench,
        scperturbench_calibrated,
        uncertainty,
    )

    calibrated = (*scperturbench_calibrated.NAMES, *retrieval.NAMES)
    found = (
        Panel("scperturbench", "scPerturBench, as published", scperturbench.NAMES, "test cells"),
        Panel("perturbench", "PerturBench, as published", perturbench.NAMES, "test cells"),
        Panel("celleval", "cell-eval, as published", celleval.NAMES, "test cells"),
        Panel("calibrated", "calibrated", calibrated, "conditions"),
        Panel("collapse", "mode collapse", collapse.NAMES, "conditions"),
        Panel("uncertainty", "uncertainty", uncertainty.NAMES, "conditions"),
    )
    return {panel.name: panel for panel in found}


def panel_cards() -> list[Card]:
    """The card of every value of every panel, in the order of the panels."""
    known = cards()
    return [known[f"{panel.name}.{metric}"] for panel in panels().values() for metric in panel.metrics]


def find_cards(name: str) -> list[Card]:
    """The cards of a metric, by `panel.metric`, or by its name, with or without its gene set, in every panel that has it."""
    known = cards()
    if name in known:
        return [known[name]]
    found = [card for card in known.values() if name in (card.name, OVER_GENES.sub("", card.name))]
    if not found:
        raise UnknownNameError("metric", name, {*known, *(card.name for card in known.values())})
    return found
