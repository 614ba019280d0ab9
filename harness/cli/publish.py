"""`harness publish`: the static board of sealed records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.reporting.board.site import Site

OUT = Path("reports/site")


def publish(
    runs: list[str] = typer.Argument(
        None,
        help="Runs (names, their beginnings, folders). Without any, every run of --runs.",
        autocompletion=complete_run,
    ),
    runs_folder: Path = typer.Option(None, "--runs", help="Where the runs lie; by default the project's."),
    out: Path = typer.Option(
        OUT, "--out", help="Folder of the site; an older board there is replaced whole."
    ),
    title: str = typer.Option(None, help="Title of the board."),
    keep: Path = typer.Option(
        None,
        "--keep",
        help="Also put what the board needs of each record into this folder, to commit it: no predictions, no models.",
    ),
    any_isolation: bool = typer.Option(
        False, "--any-isolation", help="Rank also runs that were in less than a sandbox."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be published; write nothing."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Build a static board from sealed records: a page for each task, submission, dataset, metric and scorecard.

    Records that are not sealed, have changed, or were scored with other versions of a metric or split than the rest are
    refused. Failed, refused, held and declined runs are shown with their reasons. Test records rank, in groups.

    Example: `harness publish --out reports/site`

    Example: `harness publish --runs reports/records --dry-run`
    """
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_json
    from harness.reporting.board.keep import keep_records
    from harness.reporting.board.publish import TITLE, compile_site, refuse_foreign
    from harness.reporting.board.publish import publish as write_site
    from harness.settings import load_settings
    from harness.splits.store import SplitStore

    settings = load_settings()
    refuse_foreign(out)
    with progress_bar("publishing") as report:
        folders = _folders(runs or [], runs_folder or settings.runs)
        site = compile_site(
            folders,
            splits=SplitStore(settings.splits),
            title=title or TITLE,
            any_isolation=any_isolation,
            step=lambda _, done, of: report(done, max(of, done)),
        )
        if not dry_run:
            if keep is not None:
                keep_records(site.entries, keep)
            written = write_site(site, out, step=lambda _, done, of: report(done, max(of, done)))
    told = summary(site) | {"out": str(out), "written": not dry_run}
    if not dry_run:
        told |= {"pages": written.pages, "scorecards_taken_over": written.taken_over}
    if as_json:
        print_json(told)
        return
    _print(told, dry_run=dry_run)


def summary(site: Site) -> dict[str, Any]:
    """What a board holds, in numbers."""
    return {
        "records": len(site.entries),
        "submissions": len(site.submissions),
        "scorecards": len(site.scorecards),
        "tasks": {
            task.task: {
                "test": len(task.ranked),
                "ranked": sum(bool(row.places) for row in task.ranked),
                "validation": len(task.validation),
                "without a score": len(task.unscored),
            }
            for task in site.tasks
        },
    }


def _folders(named: list[str], runs: Path) -> list[Path]:
    from harness.errors import HarnessError
    from harness.records.run_folder import find_run
    from harness.reporting.board.reading import run_folders

    found = [find_run(runs, one).path for one in named] if named else run_folders(runs)
    if not found:
        raise HarnessError(
            "there is no run to publish",
            where=runs,
            mend="harness submit SUBMISSION makes one; or name others",
        )
    return found


def _print(told: dict[str, Any], *, dry_run: bool) -> None:
    from harness.cli.show import print_table

    rows = [[task, *counts.values()] for task, counts in told["tasks"].items()]
    print_table(
        f"{told['records']} records of {told['submissions']} submissions",
        ["task", "on test", "ranked", "on validation", "without a score"],
        rows,
    )
    if dry_run:
        typer.echo(f"would be published in {told['out']}; nothing was written")
    else:
        typer.echo(f"{Path(told['out']) / 'index.html'}")
