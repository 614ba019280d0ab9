"""`controls.json` and `controls.parquet` of a run folder: what every control scored on its task, and the scaled scores."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.controls.catalogue import CONTROLS, ControlCard
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.pieces import controls_version
from harness.controls.scaled import ON_HALVES, Scaled, scaled_scores
from harness.errors import HarnessError
from harness.scoring.score_table import Scored, ScoreTable
from harness.storage import read_json, write_json

CONTROLS_FILE = "controls.json"
CONTROLS_TABLE = "controls.parquet"
SCHEMA = 1
OVERALL = "global"
NAMED = ("control", "replicate", "level", "context", "perturbation", "covariates", "kind", "stratum")
"""Text columns of the table; then `n`, then one column per metric."""


def controls_document(controls: ControlSet, table: ScoreTable) -> dict[str, Any]:
    """Every control with its value of the task, and every metric of the run between its anchors."""
    scaled = {name: _scaled(one) for name, one in scaled_scores(table, controls).items()}
    return {
        "schema": SCHEMA,
        "code": controls_version()[:12],
        "controls": {one.card.name: _control(one) for one in controls},
        "scaled": scaled,
        "scaled_note": ON_HALVES,
    }


def write_controls(folder: Path, controls: ControlSet, table: ScoreTable) -> None:
    """Write both documents; `table` is what the run scored."""
    write_json(folder / CONTROLS_FILE, controls_document(controls, table))
    pq.write_table(controls_table(controls), folder / CONTROLS_TABLE, compression="zstd")


def read_controls(folder: Path) -> ControlSet | None:
    """The controls of a run folder; None where it was scored without any."""
    if not (folder / CONTROLS_FILE).is_file():
        return None
    document = read_json(folder / CONTROLS_FILE, "controls")
    if document.get("schema") != SCHEMA:
        raise HarnessError(
            "controls of another version",
            where=folder / CONTROLS_FILE,
            got=document.get("schema"),
            expected=SCHEMA,
        )
    tables = _read_tables(folder / CONTROLS_TABLE)
    return ControlSet(
        {name: _told(name, one, tables.get(name, {})) for name, one in document["controls"].items()}
    )


def controls_table(controls: ControlSet) -> pa.Table:
    """A row per control, replicate and condition, and one for the task; a column per metric."""
    labels: dict[str, list[str]] = {name: [] for name in NAMED}
    sizes: list[int] = []
    parts = [(one.card.name, label, table) for one in controls for label, table in one.replicates.items()]
    metrics = sorted({name for _, _, table in parts for name in (*table.values, *table.overall)})
    columns: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in metrics}
    for control, label, table in parts:
        rows = [
            (OVERALL, Scored("", "", "", "reported", "", 0)),
            *(("condition", one) for one in table.conditions),
        ]
        for level, one in rows:
            for name, value in zip(NAMED, (control, label, level, *one[:5]), strict=True):
                labels[name].append(value)
            sizes.append(one.n)
        nothing = np.full(len(table.conditions), np.nan)
        for name in metrics:
            head = np.array([table.overall.get(name, np.nan)])
            columns[name].append(np.concatenate([head, table.values.get(name, nothing)]))
    arrays = {name: pa.array(column, pa.string()) for name, column in labels.items()}
    arrays["n"] = pa.array(sizes, pa.int64())
    arrays |= {name: pa.array(np.concatenate(column)) for name, column in columns.items()}
    known = {"values": _known(parts, "values"), "overall": _known(parts, "overall")}
    return pa.table(arrays).replace_schema_metadata({key: "\n".join(names) for key, names in known.items()})


def _known(parts: list[tuple[str, str, ScoreTable]], what: str) -> list[str]:
    """The metrics that conditions, or the task, have."""
    return sorted({name for _, _, table in parts for name in getattr(table, what)})


def _read_tables(path: Path) -> dict[str, dict[str, ScoreTable]]:
    if not path.is_file():
        raise HarnessError("the scores of the controls are missing", where=path, got="no such file")
    whole = pq.read_table(path)
    metadata = whole.schema.metadata or {}
    metrics, overall = (metadata[key].decode().split("\n") for key in (b"values", b"overall"))
    text = {name: whole[name].to_pylist() for name in NAMED}
    sizes = whole["n"].to_pylist()
    values = {name: whole[name].to_numpy() for name in {*metrics, *overall}}
    starts = [i for i, level in enumerate(text["level"]) if level == OVERALL]
    found: dict[str, dict[str, ScoreTable]] = {}
    for start, stop in zip(starts, [*starts[1:], whole.num_rows], strict=True):
        rows = range(start + 1, stop)
        conditions = tuple(Scored._make([*(text[name][i] for name in NAMED[3:]), sizes[i]]) for i in rows)
        table = ScoreTable(
            conditions,
            {name: values[name][start + 1 : stop] for name in metrics},
            {name: float(values[name][start]) for name in overall},
        )
        found.setdefault(text["control"][start], {})[text["replicate"][start]] = table
    return found


def _control(one: ControlScore) -> dict[str, Any]:
    metrics = one.tables[0].overall if one.tables else {}
    return {
        **{key: value for key, value in dataclasses.asdict(one.card).items() if key != "name"},
        "reason": one.reason,
        "replicates": list(one.replicates),
        "labelled": bool(one.labels),
        "numbers": {name: _plain(value) for name, value in one.numbers.items()},
        "overall": {name: _plain(one.overall(name)) for name in metrics},
        "sd": {name: _plain(one.sd(name)) for name in metrics} if len(one.tables) > 1 else {},
    }


def _told(name: str, told: Mapping[str, Any], tables: Mapping[str, ScoreTable]) -> ControlScore:
    card = CONTROLS.get(name) or ControlCard(
        name, *(told[key] for key in ("kind", "made", "description", "expected"))
    )
    labels = tuple(told["replicates"]) if told["labelled"] else ()
    numbers = {key: math.nan if value is None else value for key, value in told["numbers"].items()}
    return ControlScore(
        card, tuple(tables[label] for label in told["replicates"]), labels, numbers, told["reason"]
    )


def _scaled(one: Scaled) -> dict[str, Any]:
    return {
        key: _plain(value) if isinstance(value, float) else value
        for key, value in dataclasses.asdict(one).items()
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
