"""The board as data: `board.json` with everything, `board.csv` and `board.parquet` with one line a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.reporting.board.entry import SHOWN
from harness.reporting.board.names import scorecard_page
from harness.reporting.board.site import Site
from harness.reporting.board.standings import Row, Standings
from harness.storage import canonical_json

DOCUMENT, CSV, PARQUET = "board.json", "board.csv", "board.parquet"
KIND = "harness board"
TEXT = (
    "task", "dataset", "split", "regime", "eval_split", "submission", "name", "version", "status", "reason",
    "made_by", "isolation", "variance", "runs", "not_ranked", "primary",
)  # fmt: skip
WHOLE = ("seeds", "group", "rank_low", "rank_high", "gates_passed", "gates_that_apply")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def document(site: Site) -> str:
    """`board.json`."""
    told = {
        "schema": 1,
        "kind": KIND,
        "title": site.title,
        "metrics_version": next((e.record.metrics_version for e in site.entries if e.scored), None),
        "tasks": [_task(site, task) for task in site.tasks],
    }
    return canonical_json(told, indent=1) + "\n"


def csv_text(site: Site) -> str:
    """`board.csv`; text that a spreadsheet would take for a formula is quoted for it."""
    lines = list(_lines(site))
    handle = io.StringIO()
    writer = csv.DictWriter(handle, _columns(), lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: _plain(value) if key in TEXT else value for key, value in line.items()})
    return handle.getvalue()


def parquet_bytes(site: Site) -> bytes:
    """`board.parquet`."""
    lines = list(_lines(site))
    kinds = {**dict.fromkeys(TEXT, pa.string()), **dict.fromkeys(WHOLE, pa.int64())}
    columns = {
        name: pa.array([line[name] for line in lines], kinds.get(name, pa.float64())) for name in _columns()
    }
    handle = io.BytesIO()
    pq.write_table(pa.table(columns), handle, compression="zstd")
    return handle.getvalue()


def _columns() -> list[str]:
    return [*TEXT, *WHOLE, *SHOWN, *(f"scaled.{name}" for name in SHOWN)]


def _lines(site: Site) -> Iterator[dict[str, Any]]:
    for task in site.tasks:
        for row in task.rows:
            yield _line(site, task, row)


def _line(site: Site, task: Standings, row: Row) -> dict[str, Any]:
    record, place, gates = row.first.record, row.places.get(task.primary), row.gates
    told: dict[str, Any] = {
        "task": task.task,
        "dataset": record.dataset.name,
        "split": record.split.name,
        "regime": site.regime(task),
        "eval_split": record.task.eval_split,
        "submission": row.submission,
        "name": row.name,
        "version": record.submission.version,
        "status": record.status.value,
        "reason": record.reason,
        "made_by": row.owner,
        "isolation": row.isolation,
        "variance": record.variance,
        "runs": " ".join(entry.run for entry in row.entries),
        "not_ranked": row.unranked,
        "primary": task.primary,
        "seeds": row.seeds,
        "group": place.group if place else None,
        "rank_low": place.low if place else None,
        "rank_high": place.high if place else None,
        "gates_passed": gates[0] if gates else None,
        "gates_that_apply": gates[1] if gates else None,
    }
    told |= {name: row.value(name) for name in SHOWN}
    return told | {f"scaled.{name}": row.scaled(name) for name in SHOWN}


def _task(site: Site, task: Standings) -> dict[str, Any]:
    record = task.first.record
    return {
        "task": task.task,
        "dataset": record.dataset.model_dump(),
        "split": record.split.model_dump() | {"regime": site.regime(task)},
        "genes_hash": record.genes_hash,
        "primary": task.primary,
        "family": {"size": task.family, "method": "Benjamini-Hochberg"},
        "rankings": [
            {"metric": one.metric, "conditions": one.n, "not_ranked": one.why_not} for one in task.rankings
        ],
        "rows": [_row(site, row) for row in task.rows],
    }


def _row(site: Site, row: Row) -> dict[str, Any]:
    record, scorecards = row.first.record, site.scorecards
    return {
        "name": row.name,
        "submission": record.submission.model_dump(),
        "params": row.first.config.params.resolved,
        "authors": record.authors,
        "made_by": row.owner,
        "eval_split": record.task.eval_split,
        "status": record.status.value,
        "reason": record.reason,
        "isolation": row.isolation,
        "variance": record.variance,
        "runs": [
            {
                "run": entry.run,
                "seed": entry.record.seed,
                "status": entry.record.status.value,
                "scorecard": scorecard_page(entry.run) if entry.run in scorecards else None,
            }
            for entry in row.entries
        ],
        "other_runs": [entry.run for entry in row.others],
        "values": {name: row.value(name) for name in SHOWN},
        "undefined": {
            name: row.why_undefined(name) for name in SHOWN if row.scored and row.value(name) is None
        },
        "scaled": {name: row.scaled(name) for name in SHOWN},
        "places": {
            name: {"group": place.group, "ranks": [place.low, place.high]}
            for name, place in row.places.items()
        },
        "not_ranked": row.unranked,
        "gates": {
            entry.run: {gate.name: gate.state for gate in entry.gates}
            for entry in row.entries
            if entry.gates is not None
        },
    }


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
