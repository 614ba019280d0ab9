"""`harness data verify`: whether a dataset is still what was frozen."""

from __future__ import annotations

import typer

from harness.cli.names.datasets import complete_dataset, dataset_folder
from harness.cli.show import JSON_OPTION


def verify(
    datasets: list[str] = typer.Argument(
        help="Datasets, by name or folder.", autocompletion=complete_dataset
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Recompute every hash of a dataset; all faults are listed, and the exit code is 4 when there is one.

    Example: `harness data verify demo`
    """
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_error, print_json
    from harness.datasets.verification import faults
    from harness.errors import ExitCode

    found = {}
    for reference in datasets:
        folder = dataset_folder(reference)
        with progress_bar(f"verify {reference}", in_bytes=True) as report:
            found[str(folder)] = faults(folder, on_progress=report)
    if as_json:
        print_json(
            {path: [{"what": f.what, **dict(f.lines())} for f in some] for path, some in found.items()}
        )
    for path, some in found.items():
        for fault in some:
            print_error(fault)
        if not some and not as_json:
            typer.echo(f"{path}: as it was frozen")
    if any(found.values()):
        raise typer.Exit(ExitCode.CHANGED)
