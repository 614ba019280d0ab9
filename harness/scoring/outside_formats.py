"""What programs call things in the files of cells that they write: STATE, cell-eval, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, UnknownNameError
from harness.scoring.outside_file import Source


@dataclass(frozen=True)
class Names:
    """A program's own names; whoever reads a file may give others."""

    matrix: str
    pert: str
    context: str
    control: str
    input_matrix: str | None = None
    """Where the program leaves the cells that it was given, beside its predictions."""


FORMATS: dict[str, Names] = {
    "h5ad": Names("X", "target_gene", "cell_type", "non-targeting"),
    "cell-eval": Names("X", "target_gene", "cell_type", "non-targeting"),
    "state": Names("obsm/X_hvg", "gene", "cell_type", "non-targeting", input_matrix="X"),
}
"""Format → names. STATE's are its defaults of `state tx infer --embed-key X_hvg`, which leaves X as it was."""


def source_of(
    form: str,
    path: Path,
    *,
    matrix: str | None = None,
    pert: str | None = None,
    context: str | None = None,
    control: str | None = None,
    covariates: tuple[str, ...] = (),
    genes: Path | None = None,
) -> Source:
    """A file of a format; what is not given has the program's own name. An empty context means there is only one."""
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    names = FORMATS[form]
    chosen = matrix or names.matrix
    told_context = names.context if context is None else context
    return Source(
        path,
        pert_column=pert or names.pert,
        context_column=told_context or None,
        covariate_columns=covariates,
        control_label=names.control if control is None else control,
        matrix=chosen,
        genes=None if genes is None else gene_list(genes),
        input_matrix=names.input_matrix if names.input_matrix != chosen else None,
    )


def gene_list(path: Path) -> tuple[str, ...]:
    """One gene a line, in the order of the matrix's columns."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise HarnessError("the list of genes is not text", where=path, got=error) from None
    genes = tuple(line.strip() for line in lines if line.strip())
    if not genes:
        raise HarnessError("the list of genes is empty", where=path, expected="one gene a line")
    return genes
