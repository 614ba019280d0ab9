"""What can be told about an `.h5ad` file, with guesses for everything that files commonly agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.datasets.importers.registry import ImportOptions
from harness.datasets.meta import MatchingRule, Unit
from harness.datasets.normalise import ValueKind


class H5adOptions(ImportOptions):
    """Options of the `.h5ad` importer. Whatever is left out is guessed from common names, and the guess is noted."""

    pert_column: str | None = None
    """Column of `obs` that names the perturbation."""
    context_column: str | None = None
    """Column of `obs` that names the context: cell type, cell line, donor, …"""
    context: str | None = None
    """One context for all rows, where the file has no such column."""
    batch_column: str | None = None
    """Column of `obs` that names the batch; without one all rows are one batch."""
    control_column: str | None = None
    """Boolean column of `obs` that is true for controls."""
    control_label: str | list[str] | None = None
    """Names of the control in the perturbation column; also dropped from combinations (`A+ctrl` is `A`)."""
    combo_delimiter: str | None = None
    """What stands between the parts of a combination: by default `+` for genes, nothing for other perturbations."""
    perturbation_kind: Literal["auto", "gene", "other"] = "auto"
    """`gene`: ids are gene names; `other`: drugs, ligands, …, without target genes; `auto`: `gene` if any is one."""
    covariates: list[str] = []
    """Further columns of `obs` to keep."""
    intervention: list[str] | None = None
    """Columns that describe the intervention (dose, time): part of the condition. By default those with common names."""
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
