"""`harness gates`: what every gate found of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.verdicts.judge import Verdict


def gates(
    run: str = typer.Argument(
        "last", help="Name, its beginning, folder, or `last`.", autocompletion=complete_run
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Show every gate of a run, pass, fail or not applicable, with its number and its reason.

    Exits with 0 where none fails, with 3 where one fails, with 17 where a leak is suspected.

    Example: `harness gates last`
    """
    from harness.cli.show import print_json
    from harness.records.run_folder import find_run
    from harness.settings import load_settings
    from harness.verdicts.judge import read_verdict

    found = find_run(load_settings().runs, run)
    verdict = read_verdict(found)
    if as_json:
        print_json({"run": found.path.name, "exit_code": verdict.exit_code} | verdict.document())
    else:
        print_gates(found.path.name, verdict)
    raise typer.Exit(verdict.exit_code)


def print_gates(title: str, verdict: Verdict) -> None:
    """The gates as a table, and how many metrics may vote here."""
    from harness.cli.show import print_table

    rows = [
        (gate.name, gate.state, "–" if gate.number is None else f"{gate.number:.4g}", gate.reason)
        for gate in verdict.gates
    ]
    print_table(f"Gates of {title}, on {verdict.primary}", ["gate", "", "number", "reason"], rows)
    if verdict.passports is not None:
        found = verdict.passports.passports
        typer.echo(
            f"passports: {sum(one.granted for one in found.values())} of {len(found)} metrics may rank here"
        )
    if verdict.held:
        typer.echo(f"held: {verdict.reason}")
