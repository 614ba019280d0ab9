"""How the command line speaks: tables or JSON for what is listed, a few clear lines for what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from harness.errors import HarnessError
from harness.storage import canonical_json

PIPED_WIDTH = 240
"""Columns of a table that no terminal limits, so that names stay whole in logs and pipes."""
JSON_OPTION = typer.Option(False, "--json", help="Print JSON instead of a table.")


def print_json(value: Any) -> None:
    """JSON on standard output, for programs."""
    typer.echo(canonical_json(value, indent=2))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "nothing yet"
) -> None:
    """A table on standard output, for people; names from data are printed as they are, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        typer.echo(f"{title}: {empty}")
        return
    table = Table(title=title, title_justify="left", header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(table)


def print_card(title: str, facts: Mapping[str, object]) -> None:
    """Facts about one thing, a line each."""
    print_table(title, ["", ""], [(name, value) for name, value in facts.items()])


def short_path(path: Path) -> str:
    """A path as short as it can be said from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def print_error(error: HarnessError) -> None:
    """A refusal on standard error: what, where, got, expected, how to mend it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True)
    console.print(Text.assemble(("refused: ", "bold red"), error.what))
    for label, text in error.lines():
        console.print(Text.assemble((f"  {label:>8}  ", "bold" if label == "mend" else "dim"), text))
