"""`harness ledger`: who opened which test truth, when and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.records.ledger_entry import Entry

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The ledger of openings of test truth: show, verify, mend.",
)


@app.command()
def show(
    submission: str = typer.Option(None, help="Only lines of the submission of this name."),
    task: str = typer.Option(None, help="Only lines of this task, DATASET:SPLIT."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show who opened which test truth, oldest first. Lines of the harness's own are no looks of a submission.

    Example: `harness ledger show`

    Example: `harness ledger show --submission ridge`
    """
    from harness.cli.show import print_json, print_table
    from harness.records.ledger_faults import inspect_ledger
    from harness.settings import load_settings

    path = load_settings().ledger
    state = inspect_ledger(path)
    chosen = [
        entry
        for entry in state.entries
        if submission in (None, entry.submission) and task in (None, entry.task)
    ]
    if as_json:
        print_json([entry.document() for entry in chosen])
    else:
        columns = ["line", "time", "purpose", "whose", "task", "submission", "predictions", "reason"]
        print_table(str(path), columns, [_row(entry) for entry in chosen], empty="no test truth was opened")
    if state.faults:
        typer.echo(f"{len(state.faults)} faults: harness ledger verify names them", err=True)


@app.command()
def verify(as_json: bool = JSON_OPTION) -> None:
    """Check the chain, its end, and that every run scored on test has its line; exit code 4 where something is wrong.

    Example: `harness ledger verify`
    """
    from harness.cli.show import print_error, print_json
    from harness.errors import ExitCode
    from harness.records.ledger_faults import inspect_ledger, unaccounted_runs
    from harness.records.run_folder import list_runs
    from harness.settings import load_settings

    settings = load_settings()
    state = inspect_ledger(settings.ledger)
    faults = [*state.faults, *unaccounted_runs(state, list_runs(settings.runs), settings.ledger)]
    if as_json:
        print_json(
            {
                "ledger": str(settings.ledger),
                "lines": len(state.entries),
                "mended": [entry.document() for entry in state.mended],
                "faults": [{"what": fault.what, **dict(fault.lines())} for fault in faults],
            }
        )
    else:
        for entry in state.mended:
            typer.echo(f"entry {entry.number} was a mending: {entry.reason}")
        for fault in faults:
            print_error(fault)
        if not faults:
            typer.echo(f"{settings.ledger}: {len(state.entries)} lines, the chain is whole")
    if faults:
        raise typer.Exit(ExitCode.CHANGED)


@app.command()
def mend() -> None:
    """Let a ledger with a torn or lost end go on: a line says what was torn or lost, and stays there to be seen.

    What was edited or cut out before the end is not mended, and stays a fault.

    Example: `harness ledger mend`
    """
    from harness.records.ledger_mend import mend_ledger
    from harness.settings import load_settings

    entry = mend_ledger(load_settings().ledger)
    typer.echo(f"entered as entry {entry.number}: {entry.reason}")


def _row(entry: Entry) -> list[object]:
    predictions = (entry.predictions_sha256 or "–")[:12]
    return [
        entry.number, entry.time, entry.purpose, entry.whose, entry.task, entry.submission or "–", predictions,
        entry.reason or "–",
    ]  # fmt: skip
