"""What can be told about an `.h5ad` file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.datasets.importers.table_options import TableOptions
from harness.datasets.meta import MatchingRule, Unit
from harness.datasets.normalise import ValueKind


class H5adOptions(TableOptions):
    """Options of the `.h5ad` importer."""

    gene_column: str | None = None
    """Column of `var` with the gene names; by default its index."""
    layer: str | None = None
    """`raw`, or a name in `layers`; by default X."""
    values: ValueKind | Literal["auto"] = "auto"
    """What the values are. `auto`: `uns["x_kind"]` if the file says so, else counts or log-normalised, as found."""
    unit: Unit | Literal["auto"] = "auto"
    """`cell`, or `profile` (bulk, pseudobulk, signatures); `auto`: profile for all but counts and normalised values."""
    total_counts_column: str | None = None
    """Column of `obs` with each cell's total over the full transcriptome, where the file holds fewer genes."""
    target_sum: Annotated[float, Field(gt=0)] = 1e4
    """Counts are scaled to this total per cell, then log1p."""
    top_hvg: Annotated[int, Field(gt=0)] | None = None
    """Keep so many highly variable genes, chosen on pool-A controls; perturbed genes are always kept."""
    min_control_cells: Annotated[int, Field(ge=0)] = 0
    """Keep genes found in at least so many pool-A controls; perturbed genes are always kept."""
    matching: MatchingRule | Literal["auto"] = "auto"
    """How rows find their control; `auto`: none for deltas, ranks and z-scores without controls, else a cell."""
