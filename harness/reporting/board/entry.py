"""One run as the board sees it: read from its sealed folder, every file that is used checked against the record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.contract.status import RunStatus
from harness.controls.document import CONTROLS_FILE
from harness.digest import file_hash
from harness.errors import ChangedError
from harness.metrics.registry import HEADLINE
from harness.records.record import RunConfig, RunRecord
from harness.records.run_folder import CONFIG_FILE, METRICS_FILE, TABLE_FILE, open_run
from harness.records.seal import bound_by, read_seal
from harness.reporting.house import made_by_house
from harness.scoring.score_table import ScoreTable
from harness.storage import read_json
from harness.verdicts.gates_case import PRIMARY
from harness.verdicts.judge import VERDICT_FILE

SCORECARD = "scorecard.html"
SHOWN = tuple(dict.fromkeys((*HEADLINE, *PRIMARY)))
"""The metrics of the board, by `panel.metric`."""
NEEDED = (CONFIG_FILE, TABLE_FILE, VERDICT_FILE, CONTROLS_FILE)
"""What of a run's files the board reads, where the run has them; the rest may be left out of a published record."""
COLUMNS = (
    "panel", "metric", "subset", "level", "context", "perturbation", "covariates", "stratum", "value", "n", "reason",
)  # fmt: skip
NOT_JUDGED = "a quick look without controls, where a leak would not show"


@dataclass(frozen=True)
class GateWord:
    """What one gate found."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """One run, with what the board shows of it."""

    path: Path
    record: RunRecord
    config: RunConfig
    house: bool
    """Made by the harness's own authors."""
    scorecard: bool
    """Whether its sealed page lies in the folder."""
    table: ScoreTable | None = None
    """The metrics of the board; None where nothing was scored."""
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why metrics of the board have no value."""
    gates: tuple[GateWord, ...] | None = None
    """None where it was not judged."""
    primary: str = PRIMARY[0]
    uninformative: Mapping[str, str] = field(default_factory=dict)
    """Metrics of the board that have no passport on its task, with the reason."""
    scaled: Mapping[str, float | None] = field(default_factory=dict)
    not_ranked: tuple[str, ...] = ()
    """Why it may be looked at but ranks nobody."""

    @property
    def run(self) -> str:
        return self.path.name

    @property
    def scored(self) -> bool:
        return self.table is not None

    def value(self, metric: str) -> float | None:
        """The value of the task; None where it is undefined."""
        found = math.nan if self.table is None else self.table.overall.get(metric, math.nan)
        return found if math.isfinite(found) else None

    @property
    def failed_gates(self) -> tuple[GateWord, ...]:
        return tuple(gate for gate in self.gates or () if gate.state == "fail")


def read_entry(folder: Path) -> Entry:
    """A run from its folder; one that is not sealed, or has changed since, is refused.

    A published record may lack predictions, checkpoints and other files that the board does not read.
    """
    seal = read_seal(folder)
    run = open_run(folder)
    record = run.record
    if seal.bound != bound_by(record) or seal.run != record.run:
        raise ChangedError("the record binds something else than the seal says", where=folder)
    if record.run != folder.name:
        raise ChangedError("the folder bears another run's name", where=folder, expected=record.run)
    for name in NEEDED:
        if name in record.files:
            _check(folder / name, record.files[name])
    if SCORECARD in seal.pages:
        _check(folder / SCORECARD, seal.pages[SCORECARD])
    config = run.config()
    return Entry(
        folder,
        record,
        config,
        made_by_house(record, config),
        SCORECARD in seal.pages,
        **_scores(folder, record),
    )


def _check(path: Path, expected: str) -> None:
    found = file_hash(path) if path.is_file() else "no such file"
    if found != expected:
        raise ChangedError("a file of the run has changed", where=path, got=found, expected=expected)


def _scores(folder: Path, record: RunRecord) -> dict[str, Any]:
    if TABLE_FILE not in record.files:
        return {}
    table, undefined = _headline(folder / TABLE_FILE)
    found: dict[str, Any] = {
        "table": table,
        "undefined": undefined,
        "not_ranked": _not_ranked(folder, record),
    }
    if VERDICT_FILE in record.files:
        found |= _judged(read_json(folder / VERDICT_FILE, "verdict"))
    if CONTROLS_FILE in record.files:
        told = read_json(folder / CONTROLS_FILE, "controls")["scaled"]
        found["scaled"] = {name: told[name]["scaled"] for name in SHOWN if name in told}
    return found


def _judged(told: Mapping[str, Any]) -> dict[str, Any]:
    passports = (told["passports"] or {}).get("metrics", {})
    return {
        "gates": tuple(GateWord(gate["name"], gate["state"], gate["reason"]) for gate in told["gates"]),
        "primary": told["primary"],
        "uninformative": {
            name: passports[name]["reason"]
            for name in SHOWN
            if name in passports and not passports[name]["granted"]
        },
    }


def _headline(path: Path) -> tuple[ScoreTable, dict[str, str]]:
    """The metrics of the board over reported conditions, and why some have no value."""
    table = pq.read_table(path, columns=list(COLUMNS), read_dictionary=["panel", "metric", "subset", "level"])
    panel, metric, subset, level = (_codes(table, name) for name in ("panel", "metric", "subset", "level"))
    keep = np.zeros(table.num_rows, np.bool_)
    for key in SHOWN:
        first, _, second = key.partition(".")
        keep |= panel.of(first) & metric.of(second)
    keep &= subset.of("reported") & (level.of("condition") | level.of("global"))
    lean = table.take(pa.array(np.flatnonzero(keep)))
    whole = [row for row in lean.to_pylist() if row["level"] == "global" and row["value"] is None]
    return ScoreTable.of(lean), {
        f"{row['panel']}.{row['metric']}": row["reason"] or "undefined" for row in whole
    }


class _codes:  # noqa: N801 - a small function with a memory
    """A column of few words, asked for the rows of one of them."""

    def __init__(self, table: pa.Table, name: str) -> None:
        column = table[name].combine_chunks()
        chunk = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        self.words: list[str] = chunk.dictionary.to_pylist()
        self.rows = chunk.indices.to_numpy(zero_copy_only=False)

    def of(self, word: str) -> np.ndarray[Any, Any]:
        """Where the column says this word. [rows]"""
        return np.asarray(self.rows == (self.words.index(word) if word in self.words else -1))


def _not_ranked(folder: Path, record: RunRecord) -> tuple[str, ...]:
    """Reasons against ranking; those of the predictions file stand in `metrics.json`, where that was not left out."""
    path = folder / METRICS_FILE
    found = []
    if path.is_file():
        _check(path, record.files.get(METRICS_FILE, "no such file"))
        content = path.read_bytes()
        if b'"not_ranked": []' not in content:  # canonical, so that nothing is written in one way only
            found += read_json(path, "metrics")["predictions"]["not_ranked"]
    if VERDICT_FILE not in record.files:
        found.append(NOT_JUDGED)
    if record.status is not RunStatus.OK:
        found.append(f"{record.status.value}: {record.reason}")
    return tuple(found)
