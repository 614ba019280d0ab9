"""A metric's card: what it is called, what it means, which way is better, what it needs, when not to trust it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
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
    module: str
    """Where it is defined."""

    @property
    def version(self) -> str:
        """Hash of the definition, kernels included: results of different versions never share a table."""
        return (
            Digest("metric")
            .field("card", f"{self.panel}.{self.name}")
            .strings("source", map(_source_hash, _definition(self.module)))
            .hexdigest()[:12]
        )

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
        card = Card(
            title, panel, description, reference, direction, optimum, range, unit, needs, pathologies, may_rank,
            function.__module__,
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


@cache
def _definition(module: str) -> tuple[str, ...]:
    """The module of a metric and every module of its package that it stands on, sorted by name."""
    package = module.rpartition(".")[0] + "."
    found, open_modules = set(), [module]
    while open_modules:
        name = open_modules.pop()
        if name in found or name == __name__:
            continue
        found.add(name)
        for value in vars(sys.modules[name]).values():
            origin = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
            if isinstance(origin, str) and (origin + ".").startswith(package) and origin in sys.modules:
                open_modules.append(origin)
    return tuple(sorted(found))


@cache
def _source_hash(module: str) -> str:
    return Digest("source").field(module, inspect.getsource(sys.modules[module])).hexdigest()


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
