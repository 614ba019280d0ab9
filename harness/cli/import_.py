"""`harness import`: what other programs wrote, in the harness's own form."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from harness.cli.names.tasks import EvalSplitOption, choose_task, complete_task
from harness.cli.show import JSON_OPTION

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Take over what other programs wrote."
)


class Format(StrEnum):
    """Whose names the file is read by."""

    H5AD = "h5ad"
    STATE = "state"
    CELL_EVAL = "cell-eval"


class Missing(StrEnum):
    """What happens where a condition is not predicted."""

    REFUSE = "refuse"
    CONTROL = "control"


@app.callback()
def root() -> None:
    """Take over what other programs wrote."""


@app.command()
def predictions(
    file: Path = typer.Argument(
        help="What the other program wrote.", metavar="FILE", exists=True, dir_okay=False
    ),
    task: str = typer.Option(..., help="Task DATASET:SPLIT.", autocompletion=complete_task),
    out: Path = typer.Option(..., help="Where the predictions go: a new .npz file."),
    source: Format = typer.Option(Format.H5AD, "--from", help="Its format."),
    eval_split: EvalSplitOption = typer.Option(EvalSplitOption.VAL, help="What the predictions answer."),
    matrix: str | None = typer.Option(
        None,
        help="The matrix that holds the predictions: X, layers/NAME or obsm/NAME (state: obsm/X_hvg, else X).",
    ),
    genes: Path | None = typer.Option(
        None,
        help="Names of the matrix's columns, one a line, where the file lacks them.",
        exists=True,
        dir_okay=False,
    ),
    pert_col: str | None = typer.Option(
        None, help="Column of obs: perturbation (state: gene, else target_gene)."
    ),
    context_col: str | None = typer.Option(
        None, help="Column of obs: context (cell_type); empty where there is only one."
    ),
    covariate_col: list[str] = typer.Option(
        [], help="Columns of obs: the task's covariates, in their order."
    ),
    control: str | None = typer.Option(
        None, help="Label of control cells, which are left out (non-targeting)."
    ),
    missing: Missing = typer.Option(
        Missing.REFUSE, help="Conditions that are not predicted: refuse, or take no effect and say so."
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Turn predicted cells (STATE, cell-eval and others) into predictions: mean of the cells − own control cells.

    Genes are matched by name; STATE's lists without names need --genes. A file that repeats the truth, the controls or
    its own input is refused, and so is one that leaves out a condition, unless --missing says otherwise.

    Example: `harness import predictions adata_pred.h5ad --from h5ad --task demo:context_ood --out predictions.npz`

    Example: `harness import predictions pred.h5ad --from state --control ctrl --task demo:context_ood --out p.npz`
    """
    import numpy as np

    from harness.cli.progress import progress_bar
    from harness.cli.show import print_json
    from harness.digest import file_hash
    from harness.records.ledger import enter_look
    from harness.scoring.outside_formats import source_of
    from harness.scoring.outside_predictions import import_h5ad
    from harness.settings import load_settings
    from harness.storage import refuse_existing
    from harness.tasks.build import build_task

    if out.suffix != ".npz":
        raise typer.BadParameter("predictions are an .npz file", param_hint="--out")
    refuse_existing(out, kind="predictions file")
    chosen = choose_task(task, None, None)
    settings = load_settings()
    named = source_of(
        source.value,
        file,
        matrix=matrix,
        pert=pert_col,
        context=context_col,
        control=control,
        covariates=tuple(covariate_col),
        genes=genes,
    )
    with progress_bar("import") as report:
        built = build_task(
            chosen.dataset, chosen.split, eval_split.value, cache=settings.task_cache, graphs=chosen.graphs
        )
        if eval_split is EvalSplitOption.TEST:
            enter_look(settings.ledger, built, "import", predictions_sha256=file_hash(file))
        found = import_h5ad(named, chosen.dataset, built, missing=missing.value, progress=report)
    with out.open("xb") as handle:
        np.savez(handle, mean=found.mean, supported=found.supported, idx=np.arange(len(found.mean)))
    if as_json:
        print_json(
            {"path": str(out), "format": source.value, "rows": len(found.mean), "notes": list(found.notes)}
        )
        return
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo(str(out))
