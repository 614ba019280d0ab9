"""`harness doctor`: what works on this machine, by really running a line in each runtime and scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.doctor.checkup import Checked


def complete_check(incomplete: str) -> list[str]:
    """Names of what can be looked at."""
    from harness.doctor.checkup import checks
    from harness.settings import load_settings

    return [check.name for check in checks(load_settings()) if check.name.startswith(incomplete)]


def doctor(
    names: list[str] = typer.Argument(
        None,
        metavar="[NAME]...",
        help="Look at these only, and fail where one does not work.",
        autocompletion=complete_check,
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Say which runtimes and schedulers work here, and of each that does not: why, and the line that mends it.

    A line is really run in each of them. Without names the exit code is 0 as long as there is one way to run submissions;
    with names it is 15 where one of them does not work.

    Example: `harness doctor`

    Example: `harness doctor docker slurm --json`
    """
    from harness.cli.show import print_json
    from harness.contract.status import RunStatus
    from harness.doctor.checkup import can_run, checkup
    from harness.settings import load_settings

    found = checkup(load_settings(), names or None)
    if as_json:
        print_json([document(each) for each in found])
    else:
        _print(found)
    healthy = all(each.finding.works for each in found) if names else can_run(found)
    raise typer.Exit(0 if healthy else RunStatus.ENVIRONMENT.exit_code)


def document(checked: Checked) -> dict[str, Any]:
    """One line of the checkup, for programs."""
    found = checked.finding
    return {
        "kind": checked.kind,
        "name": found.name,
        "works": found.works,
        "version": found.version,
        "facts": dict(found.facts),
        "reason": found.reason,
        "mend": found.mend,
        "seconds": checked.seconds,
    }


def _print(found: list[Checked]) -> None:
    from harness.cli.show import print_table
    from harness.doctor.checkup import KINDS

    for kind in KINDS:
        rows = [_row(each) for each in found if each.kind == kind]
        if rows:
            print_table(kind, ["", "works", "version", "what was found", "what mends it"], rows)


def _row(checked: Checked) -> list[str]:
    found = checked.finding
    facts = "\n".join(f"{name}: {value}" for name, value in found.facts.items())
    said = "\n".join(part for part in (facts if found.works else "", found.reason) if part)
    return [found.name, "yes" if found.works else "no", found.version, said, found.mend]
