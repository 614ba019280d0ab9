"""`harness splits`: frozen splits. One file per verb."""

from __future__ import annotations

import typer

from harness.cli.splits import create, diff, export, import_, list_splits, passport, regimes, show, verify

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Frozen splits: create, import, list, show, verify, passport, diff, export.",
)
app.command("create")(create.create)
app.command("regimes")(regimes.regimes)
app.command("list")(list_splits.list_splits)
app.command("show")(show.show)
app.command("verify")(verify.verify)
app.command("passport")(passport.passport)
app.command("diff")(diff.diff)
app.command("import-perturbench")(import_.import_perturbench)
app.command("import-toml")(import_.import_toml)
app.command("export")(export.export)
