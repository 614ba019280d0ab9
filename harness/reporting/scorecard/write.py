"""The pages of a run: `scorecard.html`, `report.html` (the same), `scorecard.md`, `scorecard.json`; sealed with it."""

from __future__ import annotations

from pathlib import Path

from harness.records.run_folder import RunFolder
from harness.records.seal import add_pages
from harness.reporting.page import render
from harness.reporting.scorecard.compile import sheet_of_run
from harness.reporting.scorecard.drawings import drawings
from harness.reporting.scorecard.sheet import Sheet
from harness.storage import canonical_json

PAGE, REPORT, MARKDOWN, DOCUMENT = "scorecard.html", "report.html", "scorecard.md", "scorecard.json"


def pages_of(sheet: Sheet) -> dict[str, str]:
    """Every page of a sheet by file name, not yet sealed. The same sheet gives the same bytes."""
    html = render("scorecard.html.j2", sheet=sheet, drawn=drawings(sheet))
    return {
        PAGE: html,
        REPORT: html,
        MARKDOWN: render("scorecard.md.j2", sheet=sheet),
        DOCUMENT: canonical_json(sheet.document()) + "\n",
    }


def write_scorecard(run: RunFolder) -> Path:
    """Write the pages of a sealed run and enter them in its seal, older ones replaced; the path of `scorecard.html`."""
    add_pages(run, pages_of(sheet_of_run(run)))
    return run.path / PAGE
