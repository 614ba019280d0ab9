"""Where a verb puts the dataset that it makes, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import typer


def target_folder(out: Path | None, name: str) -> Path:
    """`--out`, or the name in the data folder; what stands there already is refused."""
    from harness.settings import load_settings
    from harness.storage import refuse_existing

    target = out or load_settings().data / name
    refuse_existing(target, kind="dataset")
    return target


def say_made(target: Path) -> None:
    """The folder, the size and the hash of a new dataset, and its notes."""
    from harness.datasets.dataset import read_meta

    meta = read_meta(target)
    typer.echo(f"{target}: {meta.n_obs} rows, {meta.n_vars} genes, {meta.data_hash}")
    for note in meta.notes:
        typer.echo(f"  note: {note}")
