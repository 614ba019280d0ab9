"""`harness splits`: create, import, list, show, verify, diff and export frozen splits."""

from __future__ import annotations

import typer

from harness.cli.splits_look import diff, list_splits, regimes, show, verify
from harness.cli.splits_make import create, export, import_perturbench, import_toml

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Frozen splits: create, import, list, show, verify, diff, export.",
)
app.command("create")(create)
app.command("regimes")(regimes)
app.command("list")(list_splits)
app.command("show")(show)
app.command("verify")(verify)
app.command("diff")(diff)
app.command("import-perturbench")(import_perturbench)
app.command("import-toml")(import_toml)
app.command("export")(export)
