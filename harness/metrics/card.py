"""A metric's card: what it is called, what it means, which way is better, what it needs, when not to trust it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, ParamSpec, TypeVar

from harness.digest import Digest

ENTRY_POINTS = "harness.metrics"
Unit = Literal["condition", "context", "task"]
Need = Literal["means", "cells", "variance", "counts", "perturbations"]
P = ParamSpec("P")
R = TypeVar("R")


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    """Best at the optimum, worse on both sides."""
    NONE = "none"
    """A description, not a score."""


@dataclass(frozen=True)
class Undefined:
    """A value that does not exist, and why; never 0, never dropped."""

    reason: str


Value = float | Undefined


@dataclass(frozen=True)
class Card:
    """What every metric declares; tables, pages and direction tests are made from it."""

    name: str
    panel: str
    description: str
    """First paragraph of the function's docstring, with the formula."""
    reference: str
    direction: Direction
    optimum: float | None
    range: tuple[float, float]
    unit: Unit
    """The smallest thing it is computed for."""
    needs: tuple[Need, ...]
    pathologies: str
    """When it misleads."""
    may_rank: bool
    """Whether it may rank submissions and carry claims."""
    version: str
    """Hash of the definition: results of different versions never share a table."""

    def better(self, a: float, b: float) -> bool:
        """Whether value a is better than value b."""
        if self.direction is Direction.TARGET and self.optimum is not None:
            return abs(a - self.optimum) < abs(b - self.optimum)
        return a > b if self.direction is Direction.HIGHER else a < b


def metric(
    *,
    panel: str,
    direction: Direction,
    optimum: float | None,
    range: tuple[float, float],  # noqa: A002  the card's own word
    reference: str,
    needs: tuple[Need, ...] = ("means",),
    unit: Unit = "condition",
    pathologies: str = "",
    may_rank: bool = False,
    name: str | None = None,
    variants: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function as a metric; its docstring is the card's description.

    `variants` says that it is reported several times under its name and a suffix, each with the sentence that is added to
    the description: one card each.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        title = name or function.__name__
        description = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        source = Digest("metric").field("name", title).field("panel", panel)
        source.field("source", inspect.getsource(function))
        card = Card(
            title, panel, description, reference, direction, optimum, range, unit, needs, pathologies, may_rank,
            source.hexdigest()[:12],
        )  # fmt: skip
        function.card = card  # type: ignore[attr-defined]
        function.cards = tuple(_variants(card, variants or {})) or (card,)  # type: ignore[attr-defined]
        return function

    return declare


@cache
def cards() -> dict[str, Card]:
    """Every declared metric by `panel.name`: the modules of this folder, and the entry points of others."""
    found: dict[str, Card] = {}
    for module in _modules():
        for value in vars(module).values():
            for card in getattr(value, "cards", ()):
                if isinstance(card, Card):
                    found[f"{card.panel}.{card.name}"] = card
    return dict(sorted(found.items()))


def _variants(card: Card, variants: Mapping[str, str]) -> Iterator[Card]:
    for suffix, sentence in variants.items():
        yield replace(card, name=f"{card.name}_{suffix}", description=f"{card.description} {sentence}")


def _modules() -> Iterator[Any]:
    import harness.metrics

    for info in pkgutil.iter_modules(harness.metrics.__path__):
        if info.name != "card":
            yield importlib.import_module(f"harness.metrics.{info.name}")
    for entry in entry_points(group=ENTRY_POINTS):
        yield entry.load()
