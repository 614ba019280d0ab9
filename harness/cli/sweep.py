"""`harness sweep`: a configuration chosen on validation, by a declared metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.batch_submit import On
from harness.cli.definitions import DRY_RUN, FILE, JOBS, ON, RETRY
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.settings import Settings
    from harness.suites.cells import Cell, Grid
    from harness.suites.choice import Choice
    from harness.suites.handing_in import Source
    from harness.suites.sweep_file import SweepFile

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Choose a configuration on validation: launch, status, resume, aggregate.",
)


@app.command()
def launch(
    file: str = FILE,
    on: On = ON,
    jobs: int = JOBS,
    retry: bool = RETRY,
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Run every point of a sweep on every task with every seed, on validation; then show what was chosen.

    A run that stands already is not repeated. The list of what is left is kept in runs/.sweeps/NAME/left.json.

    Example: `harness sweep launch suites/norman19-sweeps/graph.toml --dry-run`

    Example: `harness sweep launch mine.toml --jobs 2`
    """
    from harness.cli.definitions import print_dry_run
    from harness.suites.handing_in import write_left
    from harness.suites.standing import standing

    sweep, source, grid, settings = _open(file, keep=not dry_run)
    stand = standing(grid.cells, settings.runs, retry=retry)
    if dry_run:
        print_dry_run(source, stand, jobs, settings, as_json)
        return
    write_left(source, settings.runs, stand.left)
    _go_on((sweep, source, grid, settings), stand.left, on, jobs, as_json)


@app.command()
def status(file: str = FILE, as_json: bool = JSON_OPTION) -> None:
    """Say of every point how many of its runs are done.

    Example: `harness sweep status mine.toml`
    """
    from harness.cli.definitions import print_counts
    from harness.cli.show import print_json
    from harness.suites.standing import standing

    _, source, grid, settings = _open(file, keep=False)
    stand = standing(grid.cells, settings.runs)
    if as_json:
        runs = [cell.axes | {"state": stand.word(cell)} for cell in stand.cells]
        print_json({"sweep": source.name, "finished": stand.finished, "counts": stand.counts(), "runs": runs})
        return
    print_counts(source, stand)
    if stand.left:
        typer.echo(f"go on with: harness sweep resume {file}")


@app.command()
def resume(
    file: str = FILE,
    on: On = ON,
    jobs: int = JOBS,
    retry: bool = RETRY,
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Go on with a sweep: read the list of what is left, do what nobody has done or does, write the list anew.

    Refused where the file has changed since it was launched.

    Example: `harness sweep resume mine.toml`
    """
    from harness.cli.definitions import print_dry_run
    from harness.suites.handing_in import read_left, write_left
    from harness.suites.standing import standing

    opened = _open(file, keep=not dry_run)
    _, source, grid, settings = opened
    listed = read_left(source, settings.runs)
    stand = standing(grid.cells, settings.runs, retry=retry)
    if dry_run:
        print_dry_run(source, stand, jobs, settings, as_json)
        return
    lost = {cell.config_hash for cell in stand.left} - set(listed)
    if lost:
        typer.echo(f"{len(lost)} runs that stood are gone, and are run again", err=True)
    write_left(source, settings.runs, stand.left)
    _go_on(opened, stand.left, on, jobs, as_json)


@app.command()
def aggregate(file: str = FILE, as_json: bool = JSON_OPTION) -> None:
    """Show the points of a sweep, best first, with the paired interval of the winner against each; keep it as results.json.

    Points are ranked on the conditions that all of them define; one whose runs are not all there is not ranked.

    Example: `harness sweep aggregate mine.toml --json`
    """
    sweep, source, grid, settings = _open(file, keep=False)
    _show(sweep, source, grid, settings, as_json)


def _open(file: str, *, keep: bool) -> tuple[SweepFile, Source, Grid, Settings]:
    from harness.cli.definitions import definition_path
    from harness.cli.names.submissions import find_submission
    from harness.settings import load_settings
    from harness.suites.cells import sweep_grid
    from harness.suites.handing_in import Source
    from harness.suites.sweep_file import read_sweep
    from harness.suites.tasks import open_tasks

    settings = load_settings()
    path = definition_path(file, settings)
    sweep = read_sweep(path)
    tasks = open_tasks(sweep.tasks, settings, keep=keep, say=lambda line: typer.echo(line, err=True))
    return (
        sweep,
        Source("sweep", sweep.name, path),
        sweep_grid(sweep, tasks, find_submission, settings),
        settings,
    )


def _go_on(
    opened: tuple[SweepFile, Source, Grid, Settings],
    left: Sequence[Cell],
    on: On,
    jobs: int | None,
    as_json: bool,
) -> None:
    from harness.cli.definitions import do_left, exit_code
    from harness.suites.handing_in import write_left
    from harness.suites.standing import standing

    sweep, source, grid, settings = opened
    again = f"harness sweep resume {source.path}"
    try:
        done = do_left(source, left, on, jobs, settings, again, as_json)
    finally:
        write_left(source, settings.runs, standing(grid.cells, settings.runs, ask=False).left)
    if not done:
        return
    _show(sweep, source, grid, settings, as_json)
    raise typer.Exit(exit_code(standing(grid.cells, settings.runs, ask=False)))


def _show(sweep: SweepFile, source: Source, grid: Grid, settings: Settings, as_json: bool) -> None:
    from harness.cli.show import print_json
    from harness.storage import make_folder, write_json
    from harness.suites.choice import choose
    from harness.suites.standing import standing

    choice = choose(sweep, grid, standing(grid.cells, settings.runs, ask=False))
    folder = source.folder(settings.runs)
    make_folder(folder)
    write_json(folder / "results.json", choice.document())
    if as_json:
        print_json(choice.document())
        return
    _print(choice, source)


def _print(choice: Choice, source: Source) -> None:
    from harness.cli.scores import number
    from harness.cli.show import print_table

    rows = [
        [
            one.point.name,
            len(one.runs),
            number(one.value),
            "–"
            if one.behind is None
            else f"{one.behind.estimate:+.4g} [{one.behind.low:+.3g}, {one.behind.high:+.3g}]",
            one.reason,
        ]
        for one in choice.places
    ]
    columns = ["point", "runs", choice.sweep.metric, "the winner is ahead by", "not ranked because"]
    print_table(
        f"Sweep {choice.sweep.name}, validation, {choice.conditions} conditions shared by all", columns, rows
    )
    if choice.winner is None:
        typer.echo(choice.word)
        return
    typer.echo(f"winner: {choice.winner.point.name}, {choice.word}")
    typer.echo("its value was picked as the best of several, and is better than another look would find")
    if choice.unfinished:
        typer.echo(f"{choice.unfinished} runs are not finished: harness sweep resume {source.path}")
