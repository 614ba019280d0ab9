"""`harness data`: datasets. One file per verb."""

from __future__ import annotations

import typer

from harness.cli.data import describe, export, fetch, graph, import_, list_datasets, make_synth, merge, verify

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Datasets: make, import, fetch, merge, list, describe, verify, export, graphs.",
)
app.command("make-synth")(make_synth.make_synth)
app.command("list")(list_datasets.list_datasets)
app.command("describe")(describe.describe)
app.command("import")(import_.import_dataset)
app.command("importers")(import_.list_importers)
app.command("fetch")(fetch.fetch)
app.command("merge")(merge.merge)
app.command("verify")(verify.verify)
app.command("export")(export.export)
app.command("graph")(graph.graph)
