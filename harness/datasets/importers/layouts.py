"""Known layouts of `.h5ad` files: the generic importer with other defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.datasets.importers.h5_table import H5Table
from harness.datasets.importers.h5ad import import_h5ad, open_h5ad
from harness.datasets.importers.h5ad_options import H5adOptions
from harness.datasets.importers.registry import Progress


@dataclass(frozen=True)
class LayoutImporter:
    """The `.h5ad` importer for files that agree on their columns; what a user tells goes before the layout."""

    name: str
    description: str
    layout: Callable[[H5Table], Mapping[str, Any]]
    """The options that the layout implies, given the row table of a file."""
    options: type[H5adOptions] = H5adOptions

    def run(self, source: Path, out: Path, options: H5adOptions, progress: Progress | None = None) -> Path:
        """Import as a new artifact."""
        with open_h5ad(source) as file:
            implied = dict(self.layout(H5Table(file, "obs")))
        told = options.model_dump(include=options.model_fields_set)
        return import_h5ad(source, out, self.options(**implied | told), progress=progress)


def present(table: H5Table, *names: str) -> list[str]:
    """Those of some columns that a table has."""
    return [name for name in names if name in table.names]
