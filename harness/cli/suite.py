"""`harness suite`: tasks × submissions × seeds, one report, a verdict on every declared claim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.batch_submit import On
from harness.cli.definitions import DRY_RUN, FILE, JOBS, ON, RETRY
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.settings import Settings
    from harness.suites.cells import Grid
    from harness.suites.handing_in import Source
    from harness.suites.report import Report
    from harness.suites.suite_file import SuiteFile

QUICK = typer.Option(
    False, "--quick", help="Fewer seeds (`quick_seeds` of the file); verdicts are then descriptive."
)
OUT = typer.Option(
    None, help="Folder of report.md, report.html and report.json; by default runs/.suites/NAME."
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Tasks × submissions × seeds in one report, with a verdict on every declared claim: run, status, report.",
)


@app.command()
def run(
    file: str = FILE,
    quick: bool = QUICK,
    on: On = ON,
    jobs: int = JOBS,
    out: Path = OUT,
    retry: bool = RETRY,
    dry_run: bool = DRY_RUN,
    as_json: bool = JSON_OPTION,
) -> None:
    """Bring every run of a suite to its end, on validation, and write the report. Again, it goes on where it stopped.

    A run that stands under its configuration's hash is never repeated, whoever made it. Submissions that the file wants
    audited are audited here, once for each content. The exit code is that of the first
    run that did not end `ok`; a verdict of `not supported` is an answer, not a fault.

    Example: `harness suite run suites/ablations.toml --dry-run`

    Example: `harness suite run go-no-go --quick`
    """
    from harness.cli.definitions import do_left, exit_code, print_dry_run
    from harness.suites.standing import standing

    suite, source, grid, settings = _open(file, quick=quick, keep=not dry_run)
    stand = standing(grid.cells, settings.runs, retry=retry)
    if dry_run:
        print_dry_run(source, stand, jobs, settings, as_json)
        return
    if stand.moving:
        typer.echo(f"{len(stand.moving)} runs are on their way already", err=True)
    if not do_left(source, stand.left, on, jobs, settings, f"harness suite run {file}", as_json):
        typer.echo(f"when they have ended: harness suite report {file}", err=True)
        return
    _audit(suite, source, grid, settings)
    _show(suite, source, grid, settings, quick, out, as_json)
    raise typer.Exit(exit_code(standing(grid.cells, settings.runs, ask=False)))


@app.command()
def status(file: str = FILE, quick: bool = QUICK, as_json: bool = JSON_OPTION) -> None:
    """Say of every submission on every task how many of its runs are done.

    Example: `harness suite status suites/ablations.toml`
    """
    from harness.cli.definitions import print_counts
    from harness.cli.show import print_json
    from harness.suites.standing import standing

    _, source, grid, settings = _open(file, quick=quick, keep=False)
    stand = standing(grid.cells, settings.runs)
    if as_json:
        runs = [cell.axes | {"state": stand.word(cell)} for cell in stand.cells]
        print_json({"suite": source.name, "finished": stand.finished, "counts": stand.counts(), "runs": runs})
        return
    print_counts(source, stand)
    if stand.left:
        typer.echo(f"go on with: harness suite run {file}")


@app.command()
def report(file: str = FILE, quick: bool = QUICK, out: Path = OUT, as_json: bool = JSON_OPTION) -> None:
    """Write the report of what is finished: tables, ablations, and a verdict on every claim. Runs nothing.

    Example: `harness suite report suites/ablations.toml --out reports/ablations`
    """
    suite, source, grid, settings = _open(file, quick=quick, keep=False)
    _show(suite, source, grid, settings, quick, out, as_json)


def _open(file: str, *, quick: bool, keep: bool) -> tuple[SuiteFile, Source, Grid, Settings]:
    from harness.cli.definitions import definition_path
    from harness.cli.names.submissions import find_submission
    from harness.settings import load_settings
    from harness.suites.cells import suite_grid
    from harness.suites.handing_in import Source
    from harness.suites.suite_file import read_suite
    from harness.suites.tasks import open_tasks

    settings = load_settings()
    path = definition_path(file, settings)
    suite = read_suite(path)
    tasks = open_tasks(suite.tasks, settings, keep=keep, say=lambda line: typer.echo(line, err=True))
    grid = suite_grid(suite, tasks, find_submission, settings, quick=quick, keep=keep)
    for reason in grid.absent.values():
        typer.echo(reason, err=True)
    return suite, Source("suite", suite.name, path), grid, settings


def _audit(suite: SuiteFile, source: Source, grid: Grid, settings: Settings) -> None:
    from harness.cli.progress import live_steps
    from harness.suites.audits import make_audits

    if suite.audit:
        with live_steps() as steps:
            make_audits(source.folder(settings.runs), grid.cells, suite.audit, steps.step)


def _show(
    suite: SuiteFile,
    source: Source,
    grid: Grid,
    settings: Settings,
    quick: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from harness.cli.show import print_json
    from harness.suites.evidence import Evidence
    from harness.suites.report import make_report, write_report
    from harness.suites.standing import standing

    evidence = Evidence(suite, grid, standing(grid.cells, settings.runs, ask=False))
    made = make_report(evidence, source.folder(settings.runs), quick=quick)
    _, page = write_report(out or source.folder(settings.runs), made)
    if as_json:
        print_json(made.document())
        return
    _print(made)
    typer.echo(str(page))


def _print(made: Report) -> None:
    from harness.cli.show import print_table

    for table in made.tasks:
        if table.missing:
            typer.echo(f"{table.task}: not here: {table.missing}")
        for one in table.undecidable:
            typer.echo(f"{table.task} cannot tell: {one}")
    rows = [
        [claim.name, claim.said.text, claim.word, "; ".join(filter(None, (found.numbers, *found.reasons)))]
        for claim in made.claims
        for _, found in claim.findings
    ]
    print_table("Claims", ["claim", "says", "verdict", "numbers and reasons"], rows, empty="none declared")
    if made.decisions:
        gates = [
            [one.entry.name, one.entry.title, one.answer, "; ".join(one.reasons)] for one in made.decisions
        ]
        print_table("Go or no-go", ["gate", "", "answer", "because"], gates)
    typer.echo(", ".join(f"{n} {word}" for word, n in made.counts.items()))
