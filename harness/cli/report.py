"""`harness report`: the pages that are made from runs."""

from __future__ import annotations

import typer

from harness.cli.report_atlas import atlas
from harness.cli.report_suite import suite
from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Pages that are made from runs.")
app.command()(atlas)
app.command()(suite)


@app.callback()
def root() -> None:
    """Pages that are made from runs."""


@app.command()
def render(
    runs: list[str] = typer.Argument(
        help="Runs by name, its beginning, folder, or `last`.", autocompletion=complete_run
    ),
    open_page: bool = typer.Option(False, "--open", help="Open the last page in the browser."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Make the scorecard of runs anew: `scorecard.html`, `.md`, `.json` and `report.html`, sealed with the run.

    Every run gets its scorecard when it ends; this is for runs of before, and after the pages themselves have changed.
    The numbers are those of the record, which is checked first: a run that has changed gets no page.

    Example: `harness report render last`

    Example: `harness report render last --open`
    """
    from harness.cli.show import print_json, short_path
    from harness.records.run_folder import find_run, open_run
    from harness.reporting.scorecard.write import write_scorecard
    from harness.settings import load_settings

    folder = load_settings().runs
    found = [open_run(find_run(folder, name).path, verify=True) for name in runs]
    made = [write_scorecard(run) for run in found]
    if as_json:
        print_json([str(page) for page in made])
    else:
        for page in made:
            typer.echo(short_path(page))
    if open_page:
        typer.launch(made[-1].absolute().as_uri())
