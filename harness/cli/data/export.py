"""`harness data export`: a dataset in a form that other programs read."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.names.datasets import complete_dataset, complete_format, named_dataset


def export(
    dataset: str = typer.Argument(help="A dataset, by name or folder.", autocompletion=complete_dataset),
    out: Path = typer.Option(..., "--out", help="Where the export is written; must not exist yet."),
    form: str = typer.Option(
        "simple", "--format", help="simple, h5ad or obs-csv.", autocompletion=complete_format
    ),
) -> None:
    """Write a dataset in another form: two plain files, an `.h5ad`, or its row table as CSV.

    Example: `harness data export demo --format h5ad --out demo.h5ad`
    """
    from harness.cli.progress import progress_bar
    from harness.datasets.export import FORMATS
    from harness.errors import UnknownNameError

    if form not in FORMATS:
        raise UnknownNameError("export format", form, FORMATS)
    write, leaves = FORMATS[form]
    opened = named_dataset(dataset)
    with progress_bar(f"export {opened.name}") as report:
        write(opened, out, report)
    typer.echo(f"{out}: {leaves}")
