"""`harness environment`: the Python environments that submissions with a lock file run in."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.names.submissions import complete_submission, find_submission
from harness.cli.show import JSON_OPTION

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Python environments of submissions: list, wheels.",
)


@app.command("list")
def list_environments(as_json: bool = JSON_OPTION) -> None:
    """List the environments that were built here: what of, how large, how long it took.

    Example: `harness environment list`
    """
    from harness.cli.show import print_json, print_table
    from harness.runtimes.environments.inventory import environments
    from harness.settings import load_settings

    found = environments(load_settings().environments)
    if as_json:
        print_json([one.document() for one in found])
        return
    rows = [[one.folder.name, one.built_for, str(len(one.packages)), *one.cost] for one in found]
    columns = ["environment", "built for", "packages", "MiB", "seconds"]
    print_table(
        "Environments", columns, rows, empty="none was built yet; the first run of a submission does it"
    )


@app.command()
def wheels(
    target: str = typer.Argument(help="Folder or name of a submission.", autocompletion=complete_submission),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be built, and build nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Build wheels of the packages in a submission's `sources.txt`, which come without one, for all later runs.

    This runs the code of these packages on this machine, which no run ever does: read the list first, and say it only
    where you trust them. What is there already is not built again.

    Example: `harness environment wheels submissions/scgen`
    """
    from harness.cli.show import print_json
    from harness.runtimes.environments.lock import logical_lines
    from harness.runtimes.environments.wheels import SOURCES, build_wheels
    from harness.settings import load_settings

    folder, _ = find_submission(target)
    sources, out = Path(folder) / SOURCES, load_settings().own_wheels
    if dry_run:
        listed = logical_lines(sources.read_text(encoding="utf-8")) if sources.is_file() else []
        told = [line for _, line in listed]
    else:
        made = build_wheels(sources, out, lambda line: typer.echo(line, err=True))
        told = [str(wheel) for wheel in made]
    if as_json:
        print_json({"built": not dry_run, "wheels": told})
        return
    for line in told or ["nothing"]:
        typer.echo(f"would build {line}" if dry_run else line)
