"""Modules that CPA and scvi-tools import and that training and prediction never use, where they are not installed."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

NAMES: dict[str, tuple[str, ...]] = {
    "cpa._tuner": ("run_autotune",),  # hyper-parameter search by ray
    "docrep": ("DocstringProcessor",),
    "rdkit": ("Chem",),  # drugs as SMILES
    "rdkit.Chem": ("AllChem",),
    "tkinter": ("N",),
}
"""Module → the names that are imported from it."""


class Nothing:
    """Stands for any object: takes every argument, and decorates a function with nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given, **_: given[0] if len(given) == 1 and callable(given[0]) else self


def install() -> None:
    """Put them in place; a module that is installed stays what it is, but for CPA's tuner, which needs ray."""
    for name, members in NAMES.items():
        if name != "cpa._tuner" and _is_there(name):
            continue
        module = ModuleType(name)
        module.__path__ = []
        for member in members:
            setattr(module, member, Nothing)
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], own, module)


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
