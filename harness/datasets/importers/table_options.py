"""What can be told about a source's row table, with guesses for everything that files commonly agree on."""

from __future__ import annotations

from typing import Literal

from harness.datasets.importers.registry import ImportOptions


class TableOptions(ImportOptions):
    """How to read a source's row table. Whatever is left out is guessed from common names, and the guess is noted."""

    pert_column: str | None = None
    """Column of `obs` that names the perturbation."""
    context_column: str | list[str] | None = None
    """Column of `obs` that names the context: cell type, cell line, donor, …; several are joined by ` · `."""
    context: str | None = None
    """One context for all rows, where the file has no such column."""
    batch_column: str | None = None
    """Column of `obs` that names the batch; without one all rows are one batch."""
    control_column: str | None = None
    """Boolean column of `obs` that is true for controls."""
    control_label: str | list[str] | None = None
    """Names of the control in the perturbation column; also dropped from combinations (`A+ctrl` is `A`)."""
    combo_delimiter: str | None = None
    """What stands between the parts of a combination: by default `+`. `auto` splits genes only."""
    perturbation_kind: Literal["auto", "gene", "other"] = "auto"
    """`gene`: ids are gene names; `other`: drugs, ligands, …, without target genes; `auto`: `gene` if any is one."""
    covariates: list[str] = []
    """Further columns of `obs` to keep."""
    intervention: list[str] | None = None
    """Columns that describe the intervention (dose, time): part of the condition. By default those with common names."""
