"""The options that several verbs of `harness splits` share."""

from __future__ import annotations

import typer

from harness.cli.names.datasets import complete_dataset
from harness.cli.names.splits import complete_split

SPLIT = typer.Argument(help="A split: DATASET:SPLIT, name, hash or alias.", autocompletion=complete_split)
MAYBE_DATA = typer.Option(
    None, "--data", help="Its dataset, where it is not in the data folder.", autocompletion=complete_dataset
)
DATA = typer.Option(..., "--data", help="The dataset, by name or folder.", autocompletion=complete_dataset)
NAME = typer.Option(
    None, "--name", help="What to call the split; the regime's or the file's name, unless told."
)
DRY_RUN = typer.Option(False, "--dry-run", help="Show what would be frozen; write nothing.")
