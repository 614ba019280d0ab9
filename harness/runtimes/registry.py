"""The runtimes: each module of this folder with a `RUNTIME`, and those of installed plugins."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

import harness.runtimes
from harness.errors import HarnessError, UnknownNameError
from harness.runtimes.protocol import IsolationWish, Runtime

ENTRY_POINTS = "harness.runtimes"


def runtimes() -> dict[str, Runtime]:
    """Every runtime by name."""
    found: dict[str, Runtime] = {}
    for module in pkgutil.iter_modules(harness.runtimes.__path__):
        runtime = getattr(importlib.import_module(f"harness.runtimes.{module.name}"), "RUNTIME", None)
        if runtime is not None:
            found[runtime.name] = runtime
    for entry in entry_points(group=ENTRY_POINTS):
        found.setdefault(entry.name, entry.load())
    return found


def choose_runtime(name: str, isolation: IsolationWish) -> Runtime:
    """The runtime of a name, refused where `strict` asks for more isolation than it gives."""
    known = runtimes()
    if name not in known:
        raise UnknownNameError("runtime", name, known)
    runtime = known[name]
    if isolation == "strict" and runtime.isolation not in ("container", "sandbox"):
        raise HarnessError(
            "strict isolation is not available",
            where=f"runtime {name}",
            got=f"isolation level {runtime.isolation!r}: clean environment and limits, no sandbox",
            expected="'sandbox' or 'container'",
            mend="use --isolation auto to run with limits only; the level in force is recorded with the run",
        )
    return runtime
