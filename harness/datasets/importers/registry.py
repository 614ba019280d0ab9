"""What turns a source into an artifact. A new importer is one module here, or an entry point of another package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from harness.contract.models import Record
from harness.errors import HarnessError, UnknownNameError

ENTRY_POINT_GROUP = "harness.importers"
Progress = Callable[[int, int, str], None]
"""Told after each step: how much is done, of how much, and what."""


class ImportOptions(Record):
    """What every importer can be told."""

    name: str | None = None
    """Name of the dataset; by default the name of the target folder."""
    title: str = ""
    """One line that says what it is."""
    url: str | None = None
    """Where the source can be had."""
    license: str | None = None
    """Licence of the data."""
    citation: str | None = None
    """What to cite."""
    card: str | None = None
    """The dataset card that these options come from."""
    seed: int = 0
    """Seed of control pools and matching."""


class Importer(Protocol):
    """One way to read a source."""

    name: str
    description: str
    options: type[ImportOptions]

    def run(self, source: Path, out: Path, options: Any, progress: Progress | None = None) -> Path:
        """Import `source` as a new artifact at `out`; on any error nothing appears there."""
        ...


def importers() -> dict[str, Importer]:
    """Every importer by name: each module of this folder that has an `IMPORTER`, then the entry points of other packages."""
    found: dict[str, Importer] = {}
    package = __name__.rpartition(".")[0]
    for module in sorted(pkgutil.iter_modules([str(Path(__file__).parent)]), key=lambda entry: entry.name):
        importer = getattr(importlib.import_module(f"{package}.{module.name}"), "IMPORTER", None)
        if importer is not None:
            _add(found, importer, f"{package}.{module.name}")
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        importer = entry.load()
        _add(found, importer() if isinstance(importer, type) else importer, entry.value)
    return found


def importer(name: str) -> Importer:
    """One importer by name."""
    known = importers()
    if name not in known:
        raise UnknownNameError("importer", name, known)
    return known[name]


def _add(found: dict[str, Importer], importer: Importer, where: str) -> None:
    missing = [part for part in ("name", "description", "options", "run") if not hasattr(importer, part)]
    if missing:
        raise HarnessError(
            "an importer is incomplete",
            where=where,
            got=f"no {', no '.join(missing)}",
            expected="name, description, options and run(source, out, options, progress)",
        )
    if importer.name in found:
        raise HarnessError(
            f"two importers are named {importer.name!r}", where=where, mend="rename one of them"
        )
    found[importer.name] = importer
