"""The panels that are computed on blocks of condition effects: the functions behind their cards."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from harness.metrics import first
from harness.metrics.card import Card
from harness.metrics.scores import Scores

PANELS: dict[str, ModuleType] = {first.PANEL: first}
"""Panel → the module of its family."""


@dataclass(frozen=True)
class BlockMetric:
    """A metric that scores many conditions in one call."""

    card: Card
    arguments: tuple[str, ...]
    """Among `predicted`, `observed`, `variance`: arrays [conditions, genes]."""
    function: Callable[..., Scores]


def block_metrics(panel: str) -> list[BlockMetric]:
    """The metrics of a panel in the order of its module: every function with a card."""
    return [
        BlockMetric(value.card, tuple(inspect.signature(value).parameters), value)
        for value in vars(PANELS[panel]).values()
        if isinstance(getattr(value, "card", None), Card)
    ]
