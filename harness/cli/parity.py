"""`harness parity`: our values beside those of reference programs."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from harness.cli.runs import complete_run
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.parity.deviation import Deviation
    from harness.parity.panels import Line

CHECK = "check"
MISSED = 1
"""Exit code where a tolerance is not kept."""


class Panel(StrEnum):
    """Formats of parity cases."""

    SCPERTURBENCH = "scperturbench"
    PERTURBENCH = "perturbench"
    CELLEVAL = "celleval"
    SPLITS = "splits"


class CellPanel(StrEnum):
    """Formats that a run can be written in."""

    SCPERTURBENCH = "scperturbench"
    PERTURBENCH = "perturbench"
    CELLEVAL = "celleval"


class FolderFirst(TyperGroup):
    """`harness parity DIR` checks a folder: the verb need not be said."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *self.get_help_option_names(ctx)}:
            args = [CHECK, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=FolderFirst,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Recompute the cases of reference programs; write a run as such cases; compare. `harness parity DIR` checks.",
)


@app.command(CHECK)
def check(
    folder: Path = typer.Argument(help="Folder of cases.", metavar="DIR"),
    panel: Panel = typer.Option(None, help="What the cases are of; by default what their documents say."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Recompute every case of a folder; exit code 1 where one value is farther than its tolerance. The verb may be left out.

    Example: `harness parity tests/parity/celleval --panel celleval`
    """
    from harness.cli.progress import progress_bar
    from harness.parity.panels import check_folder, panel_of

    name = panel_of(folder) if panel is None else panel.value
    with progress_bar(f"parity {name}") as report:
        found = check_folder(folder, name, report)
    _print_deviations(f"{name}: {folder}", {"folder": str(folder), "panel": name}, found, as_json=as_json)


@app.command()
def export(
    run: str = typer.Argument(help="Name, its beginning, folder, or `last`.", autocompletion=complete_run),
    folder: Path = typer.Argument(help="New folder for the cases.", metavar="DIR"),
    panel: CellPanel = typer.Option(CellPanel.SCPERTURBENCH, help="Format of the cases."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Write a run as cases, one a context: its truth, its predicted cells, all controls; for a reference program to read.

    Example: `harness parity export last cases --panel celleval`
    """
    from dataclasses import asdict

    from harness.cli.show import print_json
    from harness.parity.export import export_run
    from harness.records.run_folder import find_run
    from harness.settings import load_settings

    settings = load_settings()
    done = export_run(find_run(settings.runs, run), folder, settings, panel.value)
    if as_json:
        print_json(asdict(done) | {"folder": str(done.folder)})
        return
    typer.echo(
        f"{len(done.cases)} cases of {done.conditions} conditions, {done.observed_cells} observed and "
        f"{done.predicted_cells} predicted cells: {done.folder}"
    )


@app.command()
def compare(
    folder: Path = typer.Argument(help="Folder of exported cases.", metavar="DIR"),
    reference: Path = typer.Argument(
        help="What the reference program printed for them.", metavar="REFERENCE.json"
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Compare our values of exported cases with what a reference program printed for them; exit code 1 on any miss.

    The file: `{"program": …, "tolerance": {"default": 1e-6, METRIC: …}, "cases": {CASE: {CONDITION: {METRIC: value}}}}`.

    Example: `harness parity compare cases reference.json`
    """
    from harness.parity.reference import compare_with, read_reference

    told = read_reference(reference)
    found = compare_with(folder, told)
    _print_deviations(f"{folder} and {told.program}", {"program": told.program}, found, as_json=as_json)


def _print_deviations(title: str, about: dict[str, Any], found: list[Deviation], *, as_json: bool) -> None:
    """One line a metric, then each miss; ends with exit code 1 where there is one."""
    from harness.cli.show import print_json, print_table
    from harness.parity.panels import summary

    lines = summary(found)
    missed = [deviation for deviation in found if not deviation.ok]
    if as_json:
        print_json(
            about
            | {
                "ok": not missed,
                "cases": len({deviation.case for deviation in found}),
                "metrics": [
                    {
                        "metric": line.metric, "cases": line.cases, "compared": line.compared, "skipped": line.skipped,
                        "worst": _json_number(line.farthest.worst), "tolerance": line.farthest.tolerance,
                        "worst_case": line.farthest.case, "ok": line.ok, "notes": list(line.notes),
                    }
                    for line in lines
                ],
                "misses": [
                    {
                        "case": one.case, "metric": one.metric, "worst": _json_number(one.worst),
                        "tolerance": one.tolerance, "note": one.note,
                    }
                    for one in missed
                ],
            }
        )  # fmt: skip
    else:
        columns = ["metric", "cases", "values", "left open", "worst deviation", "tolerance", "ok"]
        print_table(
            title,
            columns,
            [
                [
                    line.metric, line.cases, line.compared, line.skipped or "–", f"{line.farthest.worst:.2g}",
                    f"{line.farthest.tolerance:g}", _word(line),
                ]
                for line in lines
            ],
        )  # fmt: skip
        for one in missed:
            typer.echo(
                f"missed: {one.case}, {one.metric}: {one.worst:.3g} > {one.tolerance:g}"
                + (f" ({one.note})" if one.note else "")
            )
        cases = len({one.case for one in found})
        typer.echo(f"{cases} cases, {sum(one.compared for one in found)} values, {len(missed)} misses")
    if missed:
        raise typer.Exit(MISSED)


def _word(line: Line) -> str:
    if not line.ok:
        return f"MISSED in {line.missed}"
    return "ok" if line.compared else "left open"


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
