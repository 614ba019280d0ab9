"""Regimes by name: each file of `generators/` is one, found by its file name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from harness.errors import HarnessError, UnknownNameError
from harness.splits import generators
from harness.splits.assignment import Assignment
from harness.splits.leaks import Rule

_GIVEN = ("dataset", "seed")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a regime: a keyword of its `generate`."""

    name: str
    annotation: Any
    default: Any

    @property
    def several(self) -> bool:
        """Whether it takes several values."""
        return getattr(self.annotation, "__origin__", None) is tuple

    def parse(self, values: list[str], *, where: str) -> Any:
        """The value of a parameter from what was typed, once per value."""
        if len(values) > 1 and not self.several:
            raise HarnessError(f"parameter {self.name!r} takes one value", where=where, got=", ".join(values))
        try:
            return TypeAdapter(self.annotation).validate_python(values if self.several else values[0])
        except ValidationError as error:
            raise HarnessError(
                f"parameter {self.name!r} is not what it must be",
                where=where,
                got=", ".join(values),
                expected=error.errors()[0]["msg"],
            ) from None


@dataclass(frozen=True)
class Regime:
    """One way of dividing a dataset: `generate` decides the roles, `rules` are its promises."""

    name: str
    generate: Callable[..., Assignment]
    rules: tuple[Rule, ...]
    members: Callable[..., Mapping[str, Mapping[str, Any]]] | None
    """For regimes that are families of splits: what distinguishes each member → its parameters."""
    parameters: Mapping[str, Parameter]

    @property
    def summary(self) -> str:
        """What the regime does, in a sentence."""
        return (inspect.getdoc(self.generate) or "").split("\n\n")[0].replace("\n", " ")

    def parse(self, told: Mapping[str, list[str]]) -> dict[str, Any]:
        """Parameters from what was typed, each checked against its type."""
        where = f"regime {self.name}"
        for name in told:
            if name not in self.parameters:
                raise UnknownNameError("parameter", name, self.parameters, where=where)
        return {name: self.parameters[name].parse(values, where=where) for name, values in told.items()}


@cache
def regimes() -> dict[str, Regime]:
    """Every regime, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(generators.__path__))
    return {name: _load(name) for name in names}


def find_regime(name: str) -> Regime:
    """A regime by name, or a refusal with the nearest."""
    known = regimes()
    if name not in known:
        raise UnknownNameError("regime", name, known)
    return known[name]


def _load(name: str) -> Regime:
    module = importlib.import_module(f"{generators.__name__}.{name}")
    hints = get_type_hints(module.generate)
    parameters = {
        key: Parameter(key, hints[key], spec.default)
        for key, spec in inspect.signature(module.generate).parameters.items()
        if key not in _GIVEN
    }
    return Regime(name, module.generate, module.RULES, getattr(module, "members", None), parameters)
