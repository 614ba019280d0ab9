"""`harness splits import-perturbench | import-toml`: split files of other benchmarks."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.show import JSON_OPTION
from harness.cli.splits.keep import keep
from harness.cli.splits.options import DATA, DRY_RUN, NAME


def import_perturbench(
    file: Path = typer.Argument(help="The CSV: cell id, split; with or without a header."),
    data: str = DATA,
    name: str | None = NAME,
    allow_missing: bool = typer.Option(False, help="Set cells aside that the file does not name."),
    within_conditions: bool = typer.Option(
        False, help="Accept that the file divides the cells of a condition: no condition is held out."
    ),
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Freeze an official PerturBench split file over a dataset, cell by cell.

    Cells with an empty label are set aside; a cell that the dataset does not have is refused by name.

    Example: `harness splits import-perturbench norman19_splits.csv --data norman19`
    """
    from harness.cli.names.datasets import named_dataset
    from harness.splits.perturbench import import_perturbench as read

    split = read(
        file, named_dataset(data), name=name, allow_missing=allow_missing, within_conditions=within_conditions
    )
    keep([split], dry_run=dry_run, as_json=as_json)


def import_toml(
    file: Path = typer.Argument(help="The TOML with [datasets], [training], [zeroshot], [fewshot]."),
    data: str = DATA,
    name: str | None = NAME,
    toml_dataset: str | None = typer.Option(
        None, help="What the file calls this dataset, where it declares several."
    ),
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Freeze a split file of STATE (or Tahoe) over a dataset; lines and perturbations that do not exist are refused.

    Example: `harness splits import-toml split.toml --data tahoe`
    """
    from harness.cli.names.datasets import named_dataset
    from harness.splits.state_toml import import_toml as read

    split = read(file, named_dataset(data), name=name, toml_dataset=toml_dataset)
    keep([split], dry_run=dry_run, as_json=as_json)
