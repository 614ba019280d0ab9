"""`harness export`: a run in the files of other programs."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Write a run in the files of other programs."
)


@app.callback()
def root() -> None:
    """Write a run in the files of other programs."""


@app.command("cell-eval")
def cell_eval(
    run: str = typer.Argument(help="Name, its beginning, folder, or `last`.", autocompletion=complete_run),
    out: Path = typer.Option(..., help="New folder for pred.h5ad and real.h5ad."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Write a run as the two files that cell-eval reads; both share the control cells. They hold the sealed truth.

    Negative predicted values are set to 0, because cell-eval refuses them; how many is said. The harness scores them as
    they are, so its panel and cell-eval's differ where there are such values, and agree where there are none.

    Example: `harness export cell-eval last --out celleval`
    """
    from dataclasses import asdict

    from harness.cli.show import print_json
    from harness.parity.celleval_files import export_celleval
    from harness.records.run_folder import find_run
    from harness.settings import load_settings

    settings = load_settings()
    done = export_celleval(find_run(settings.runs, run), out, settings)
    if as_json:
        print_json(asdict(done) | {"folder": str(done.folder), "command": done.command})
        return
    typer.echo(
        f"{done.conditions} conditions of {done.contexts} contexts: {done.observed_cells} observed, "
        f"{done.predicted_cells} predicted, {done.control_cells} shared control cells"
    )
    typer.echo(
        f"{done.clipped} of {done.values} predicted values are below 0 and stand as 0 in pred.h5ad"
        + (": cell-eval's values will differ from the harness's, which clips nothing" if done.clipped else "")
    )
    typer.echo(done.command)
