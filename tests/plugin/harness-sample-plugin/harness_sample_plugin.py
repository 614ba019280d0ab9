"""A sample importer: one tab-separated table, a row for each cell, counts in the columns after the labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.importers.registry import ImportOptions, Progress
from harness.datasets.meta import Preprocessing, Source
from harness.datasets.obs import Labels
from harness.digest import file_hash
from harness.errors import HarnessError

LABELS = ("cell", "perturbation", "context")


class SampleOptions(ImportOptions):
    """Options of the sample importer."""

    control: str = "control"
    """Name of the control in the column `perturbation`."""
    target_sum: Annotated[float, Field(gt=0)] = 1e4
    """Counts are scaled to this total per cell, then log1p."""


class SampleImporter:
    """Reads tables that fit in memory."""

    name = "sample"
    description = "tab-separated table: cell, perturbation, context, then a column of counts for each gene"
    options = SampleOptions

    def run(self, source: Path, out: Path, options: SampleOptions, progress: Progress | None = None) -> Path:
        """Import `source` as a new artifact at `out`."""
        with source.open(newline="") as handle:
            header, *table = csv.reader(handle, delimiter="\t")
        if tuple(header[:3]) != LABELS:
            raise HarnessError(
                "the table does not begin with its labels",
                where=source,
                got=", ".join(header[:3]),
                expected=", ".join(LABELS),
            )
        cells, perts, contexts = (list(column) for column in zip(*(row[:3] for row in table), strict=True))
        counts = np.array([row[3:] for row in table], dtype=np.float64)
        rows = Rows(
            pert=Labels.of(["control" if pert == options.control else pert for pert in perts]),
            context=Labels.of(contexts),
            batch=Labels.of(["all"] * len(table)),
            is_control=np.array([pert == options.control for pert in perts]),
            cell_ids=pa.array(cells),
        )
        order = rows.order()
        scaled = counts / counts.sum(axis=1, keepdims=True) * options.target_sum
        with build_dataset(
            out,
            name=options.name or out.name,
            genes=header[3:],
            rows=rows.take(order),
            perturbations={pert: [pert] for pert in rows.pert.levels if pert != "control"},
            preprocessing=Preprocessing(
                found="counts",
                steps=[f"scaled to {options.target_sum:g} per cell", "log1p"],
                target_sum=options.target_sum,
                gene_space="all",
            ),
            source=Source(sha256=file_hash(source), license=options.license, citation=options.citation),
            seed=options.seed,
        ) as arrays:
            arrays.X[...] = np.log1p(scaled)[order]
        if progress is not None:
            progress(1, 1, "read")
        return out


IMPORTER = SampleImporter()
