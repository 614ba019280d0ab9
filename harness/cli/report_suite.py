"""`harness report suite`: the page of a suite's report."""

from __future__ import annotations

from pathlib import Path

import typer


def suite(
    reference: str = typer.Argument(
        help="The suite's file or name, or a folder or file with its report.json.", metavar="SUITE"
    ),
    out: Path | None = typer.Option(None, help="The page; by default report.html beside report.json."),
) -> None:
    """Make a page of the report that `harness suite run` or `harness suite report` wrote.

    Example: `harness report suite go-no-go`

    Example: `harness report suite reports/ablations --out ablations.html`
    """
    from harness.cli.show import short_path
    from harness.reporting.suite_page import page
    from harness.storage import make_folder, read_json, write_text

    source = _report(reference)
    content = page(read_json(source, "suite report"))
    path = source.with_suffix(".html") if out is None else out
    make_folder(path.parent)
    write_text(path, content)
    typer.echo(short_path(path))


def _report(reference: str) -> Path:
    """The report.json that is meant."""
    from harness.cli.definitions import definition_path
    from harness.errors import HarnessError
    from harness.settings import load_settings
    from harness.suites.handing_in import Source
    from harness.suites.report import REPORT
    from harness.suites.suite_file import read_suite

    given = Path(reference)
    found = given / REPORT if given.is_dir() else given
    if found.suffix != ".json":
        settings = load_settings()
        path = definition_path(reference, settings)
        found = Source("suite", read_suite(path).name, path).folder(settings.runs) / REPORT
    if not found.is_file():
        raise HarnessError(
            "this suite has no report yet",
            where=found,
            got="no such file",
            expected=REPORT,
            mend=f"harness suite run {reference}, or harness suite report {reference} for what is finished",
        )
    return found
