"""Run the speed benchmarks: python -m benchmarks [--only NAME …] [--quick] [--json FILE]."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.job import FOLDER, Row, find_jobs
from harness.cli.show import print_table
from harness.storage import write_json

RESULTS = FOLDER / "results"
COLUMNS = (
    "job", "input", "ours CPU s", "wall s", "peak MB", "peer", "CPU s", "wall s", "peak MB", "ratio", "how", "note",
)  # fmt: skip


def main(words: list[str] | None = None) -> int:
    """Run the chosen jobs, print one table, write the JSON; 1 where a job failed."""
    jobs = find_jobs()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(jobs), help="these jobs and no others")
    parser.add_argument("--quick", action="store_true", help="small inputs: for looking, not for claims")
    parser.add_argument("--json", type=Path, help="where the results go; by default a dated file in results/")
    told = parser.parse_args(words)
    rows: dict[str, list[Row]] = {}
    failures: dict[str, str] = {}
    for name in told.only or sorted(jobs):
        print(f"{jobs[name].TITLE} …", file=sys.stderr, flush=True)
        try:
            rows[name] = list(jobs[name].run(told.quick))
        except Exception as error:
            failures[name] = f"{type(error).__name__}: {error}"
    print_table("Benchmarks", COLUMNS, [_line(name, row) for name in rows for row in rows[name]])
    started = datetime.now(UTC)
    path = told.json or RESULTS / f"{started:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, _document(rows, failures, started, told.quick))
    print(path)
    for name, why in failures.items():
        print(f"{name} failed: {why}", file=sys.stderr)
    return 1 if failures else 0


def _line(job: str, row: Row) -> list[str]:
    return [
        job, row.what, _number(row.ours_cpu_s), _number(row.ours_wall_s), _number(row.ours_peak_mb),
        row.peer or "–", _number(row.peer_cpu_s), _number(row.peer_wall_s), _number(row.peer_peak_mb),
        "–" if row.ratio is None else f"{row.ratio:.1f}×", row.source, row.note,
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _document(
    rows: dict[str, list[Row]], failures: dict[str, str], started: datetime, quick: bool
) -> dict[str, Any]:
    return {
        "schema": 1,
        "time": started.isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "processors": os.cpu_count(),
            "load": os.getloadavg()[0],
            "platform": platform.platform(),
        },
        "jobs": {name: [row.document() for row in found] for name, found in rows.items()},
        "failures": failures,
    }


if __name__ == "__main__":
    sys.exit(main())
