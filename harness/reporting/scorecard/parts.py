"""What a scorecard is compiled from: the files of one run, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.controls.baselines import same_rule
from harness.controls.control_set import ControlSet
from harness.controls.document import CONTROLS_FILE, read_controls
from harness.errors import HarnessError
from harness.records.record import RunConfig, RunRecord
from harness.records.run_folder import LOG_FILE, RECORD_FILE, TABLE_FILE, RunFolder
from harness.scoring.score_table import ScoreTable
from harness.statistics.intervals import Interval
from harness.storage import read_json
from harness.verdicts.against_controls import against_strongest
from harness.verdicts.claims_of_runs import verdict_of
from harness.verdicts.intervals import Side
from harness.verdicts.judge import Verdict

DIAGNOSTICS_FILE = "diagnostics.json"
PICTURES_FILE = "pictures.json"
MOST_LOG = 16_000
"""Bytes of the end of a log that a page shows."""


@dataclass(frozen=True)
class Parts:
    """One run, taken apart."""

    record: RunRecord
    config: RunConfig
    metrics: Mapping[str, Any] | None = None
    """`metrics.json`; None where nothing was scored."""
    table: ScoreTable | None = None
    """`metrics.parquet`."""
    controls: ControlSet | None = None
    scaled: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Every metric between its anchors, from `controls.json`."""
    scaled_note: str = ""
    verdict: Verdict | None = None
    diagnostics: Any = None
    pictures: Mapping[str, Any] | None = None
    log: str = ""
    log_left_out: int = 0
    sealed: bool = True
    """Whether it is a run, which a seal binds; a file that was scored is none."""

    @property
    def name(self) -> str:
        """The submission with its variant."""
        card = self.record.submission
        return card.name + (f"@{card.variant}" if card.variant else "")

    @property
    def own(self) -> str | None:
        """The control that the submission is, if it is one."""
        return same_rule(self.record.submission.content_hash, self.config.params.resolved)

    @cached_property
    def reported(self) -> ScoreTable | None:
        """The reported conditions of the table."""
        return None if self.table is None else self.table.of_kind()

    @cached_property
    def side(self) -> Side | None:
        """The run as one side of a comparison; None where nothing was scored."""
        return None if self.table is None else Side(self.name, (self.table,))

    @cached_property
    def against(self) -> Mapping[str, tuple[str, Interval]]:
        """By metric the strongest negative control and the paired difference to it, all found together."""
        if self.side is None or self.table is None or self.controls is None:
            return {}
        return against_strongest(self.side, self.controls, list(self.table.values), own=self.own)


def parts_of(run: RunFolder) -> Parts:
    """Read a run: the record as it stands on disk, so that a page made at once is the one that is made later."""
    path = run.path / RECORD_FILE
    record = RunRecord.read(read_json(path, "run record"), where=path)
    metrics = run.metrics()
    judged = CONTROLS_FILE in record.files
    document = read_json(run.path / CONTROLS_FILE, "controls") if judged else {}
    log, left_out = _log(run)
    return Parts(
        record=record,
        config=run.config(),
        metrics=metrics,
        table=ScoreTable.read(run.path / TABLE_FILE) if TABLE_FILE in record.files else None,
        controls=read_controls(run.path) if judged else None,
        scaled=document.get("scaled", {}),
        scaled_note=document.get("scaled_note", ""),
        verdict=verdict_of(run),
        diagnostics=_told(run, DIAGNOSTICS_FILE),
        pictures=_told(run, PICTURES_FILE),
        log=log,
        log_left_out=left_out,
    )


def _told(run: RunFolder, name: str) -> Any:
    """A JSON file of a run; None where there is none, or where a submission left something else under its name."""
    if name not in run.record.files or not (run.path / name).is_file():
        return None
    try:
        return read_json(run.path / name, name)
    except (HarnessError, ValueError, RecursionError):
        return None


def _log(run: RunFolder) -> tuple[str, int]:
    """The end of the log without what would steer a terminal, and how many bytes stand before it."""
    path = run.path / LOG_FILE
    if not path.is_file():
        return "", 0
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(max(0, size - MOST_LOG))
        tail = handle.read()
    text = tail.decode(errors="replace")
    if size > MOST_LOG:
        text = text.partition("\n")[2] or text
    return "".join(c for c in text if c in "\n\t" or c.isprintable()), max(0, size - len(tail))
