"""`harness data`: datasets. Make, import, fetch, list, describe, verify, export, graphs."""

from __future__ import annotations

import typer

from harness.cli import data_get, data_graph, data_import, data_look, data_make

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Datasets: make, import, fetch, list, describe, verify, export, graphs.",
)
app.command("make-synth")(data_make.make_synth)
app.command("list")(data_look.list_datasets)
app.command("describe")(data_look.describe)
app.command("import")(data_import.import_dataset)
app.command("importers")(data_import.list_importers)
app.command("fetch")(data_get.fetch)
app.command("verify")(data_look.verify)
app.command("export")(data_look.export)
app.command("graph")(data_graph.graph)
