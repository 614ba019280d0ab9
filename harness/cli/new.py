"""`harness new`: a working starter submission."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer


class Kind(StrEnum):
    """How a starter is written."""

    MODULE = "module"
    COMMAND = "command"
    CONTAINER = "container"


def new(
    name: str = typer.Argument(help="Name on the board: lower-case letters, digits and dashes."),
    kind: Kind = typer.Option(
        Kind.MODULE,
        help="`module`: Python with the SDK. `command`: any program. `container`: an image built from a Containerfile.",
    ),
    folder: Path | None = typer.Option(
        None, "--dir", help="Folder to make it in; default: the submissions folder of the project."
    ),
) -> None:
    """Write a working starter submission, which passes `harness validate` untouched.

    Example: `harness new my-model`

    Example: `harness new my-model --kind command --dir elsewhere`
    """
    from harness.conformance.starter import write_starter
    from harness.settings import load_settings

    parent = load_settings().submissions if folder is None else folder
    made = write_starter(name, kind.value, parent)
    typer.echo(f"made {made}")
    typer.echo(f"next: harness validate {made}")
