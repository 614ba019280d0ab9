"""The pages of a run that has just ended: hours of work are not lost to a fault in a page."""

from __future__ import annotations

import sys
import traceback

from harness.records.run_folder import RunFolder


def write_pages(run: RunFolder) -> None:
    """Write the scorecard of a sealed run; what goes wrong is told on standard error, and the run stands without it."""
    from harness.reporting.scorecard.write import write_scorecard

    try:
        write_scorecard(run)
    except Exception as bug:
        traceback.print_exception(bug)
        name = run.record.run
        print(
            f"the scorecard was not made; the run is whole: harness report render {name} makes it",
            file=sys.stderr,
        )
