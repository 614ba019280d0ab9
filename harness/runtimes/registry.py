"""The runtimes: each module of this folder with a `RUNTIME`, and those of installed plugins."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from functools import cache
from importlib.metadata import EntryPoints, entry_points

import harness.runtimes
from harness.errors import HarnessError, UnknownNameError
from harness.runtimes.protocol import OFFICIAL, IsolationWish, Offer, Runtime

ENTRY_POINTS = "harness.runtimes"
ENGINE_VARIABLES = ("PATH", "DOCKER_HOST", "CONTAINER_HOST")
"""Another engine may answer when one of these is another."""
FALLBACK = "process"
_OFFERS: dict[tuple[object, ...], Offer] = {}


def runtimes() -> dict[str, Runtime]:
    """Every runtime by name."""
    found: dict[str, Runtime] = {}
    for module in pkgutil.iter_modules(harness.runtimes.__path__):
        runtime = getattr(importlib.import_module(f"harness.runtimes.{module.name}"), "RUNTIME", None)
        if runtime is not None:
            found[runtime.name] = runtime
    for entry in _installed(tuple(sys.path)):
        found.setdefault(entry.name, entry.load())
    return found


@cache
def _installed(_path: tuple[str, ...]) -> EntryPoints:
    """Runtimes of packages on the path; to ask every package for them takes longer than to plan a run."""
    return entry_points(group=ENTRY_POINTS)


def choose_runtime(name: str, isolation: IsolationWish) -> Runtime:
    """The runtime of a name; refused where it does not work, or where `strict` asks for more than it gives.

    Only `best-effort` goes on without a missing engine, in the runtime `process`.
    """
    known = runtimes()
    if name not in known:
        raise UnknownNameError("runtime", name, known)
    offer = offer_of(known[name])
    if not offer.works:
        if isolation == "best-effort" and name != FALLBACK:
            return known[FALLBACK]
        raise HarnessError(
            f"runtime {name!r} does not work here",
            where=f"runtime {name}",
            got=offer.reason,
            mend=offer.mend or "harness doctor says what is missing",
        )
    lacking = official_missing(offer)
    if isolation == "strict" and lacking:
        raise HarnessError(
            "strict isolation is not available",
            where=f"runtime {name}",
            got=f"isolation level {offer.isolation!r}, without {lacking}",
            expected="'sandbox' or 'container', with " + ", ".join(OFFICIAL),
            mend=f"{offer.mend or 'harness doctor says what is missing'}; or use --isolation auto, which is recorded",
        )
    return known[name]


def stepping_down(asked: str, runtime: Runtime) -> str | None:
    """One line on what the runs of a runtime lack here, and on an engine that was asked for and is not there."""
    lines = []
    if runtime.name != asked:
        lines.append(f"runtime {asked!r} does not work here: {offer_of(runtimes()[asked]).reason}")
    offer = offer_of(runtime)
    lacking = official_missing(offer)
    if lacking:
        why = f" ({offer.reason})" if offer.reason else ""
        lines.append(f"isolation steps down to {offer.isolation!r}{why}: without {lacking}")
    return "; ".join(lines) or None


def official_missing(offer: Offer) -> str:
    """The guarantees of an official run that an offer lacks, each with the reason; empty where it has them all."""
    lacking = [one for one in OFFICIAL if one not in offer.granted]
    return ", ".join(f"{one} ({offer.missing.get(one, 'not given')})" for one in lacking)


def offer_of(runtime: Runtime) -> Offer:
    """What a runtime gives, found once per process and environment."""
    key = (runtime.name, id(runtime), *(os.environ.get(name) for name in ENGINE_VARIABLES))
    if key not in _OFFERS:
        _OFFERS[key] = runtime.offer()
    return _OFFERS[key]
