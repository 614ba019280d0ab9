"""The end of a run: everything it left, in one run folder that appears whole."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.contract.predictions import PREDICTIONS_FILE, predictions_hash
from harness.contract.status import RunStatus
from harness.contract.task import NamedHash
from harness.controls.control_set import ControlSet
from harness.controls.document import write_controls
from harness.datasets.dataset import PerturbDataset
from harness.records.ledger_entry import LookReference
from harness.records.provenance import collect_provenance
from harness.records.record import RunConfig, RunRecord
from harness.records.run_folder import (
    CONFIG_FILE,
    LOG_FILE,
    MODEL,
    PREDICTIONS,
    SPLIT_FILE,
    STATUS_FILE,
    RunFolder,
    new_run,
    open_run,
    run_name,
    seal_files,
    status_line,
    write_record,
)
from harness.records.seal import write_seal
from harness.records.versions import version_of
from harness.schedulers.execution import Executed
from harness.schedulers.pages import write_pages
from harness.scoring.direct_table import table_of
from harness.scoring.evaluate import Evaluation, predictions_in, write_evaluation
from harness.splits.split import Split
from harness.storage import write_json, write_text
from harness.verdicts.judge import VERDICT_FILE, Verdict

DIAGNOSTICS_FILE = "diagnostics.json"
MOST_DIAGNOSTICS = 16 << 20
NOT_RUN = "none"


@dataclass(frozen=True)
class Ending:
    """How a run ended, and its scores where it has some."""

    status: RunStatus
    reason: str
    started: datetime
    evaluation: Evaluation | None = None
    look: LookReference | None = None
    """The line of the ledger that accounts for the scores on test."""
    controls: ControlSet | None = None
    """What it is held against; None for a quick look."""
    verdict: Verdict | None = None
    """What its gates found; None where there is nothing to judge by."""


def write_run(
    runs: Path,
    config: RunConfig,
    context: tuple[PerturbDataset, Split],
    ending: Ending,
    step_s: dict[str, float],
    *,
    authors: Sequence[str] = (),
    executed: Executed | None = None,
    discard_predictions: bool = False,
) -> RunFolder:
    """Write the run folder of any ending."""
    dataset, split = context
    label = config.submission.name + (f"@{config.submission.variant}" if config.submission.variant else "")
    name = run_name(ending.started, config.split_hash, label, config.config_hash)
    with new_run(runs, name) as (folder, final):
        write_json(folder / CONFIG_FILE, config.model_dump(mode="json", by_alias=True))
        write_text(folder / SPLIT_FILE, config.split_hash + "\n")
        write_text(folder / STATUS_FILE, status_line(ending.status, ending.reason))
        predictions = _keep_output(folder, executed, discard_predictions)
        if ending.evaluation is not None:
            write_evaluation(folder, ending.evaluation, final)
            if ending.controls is not None:
                write_controls(folder, ending.controls, table_of(ending.evaluation))
            if ending.verdict is not None:
                write_json(folder / VERDICT_FILE, ending.verdict.document())
        execution = executed.execution if executed else None
        record = RunRecord(
            run=final,
            attempt=execution.attempt if execution else uuid.uuid4().hex,
            status=ending.status,
            reason=ending.reason,
            submission=config.submission,
            authors=list(authors),
            task=config.task,
            dataset=NamedHash(name=dataset.name, hash=dataset.data_hash),
            split=NamedHash(name=split.name, hash=split.frozen_hash),
            genes_hash=dataset.meta.genes_hash,
            config_hash=config.config_hash,
            seed=config.seed,
            runtime=config.runtime,
            isolation=execution.isolation if execution else NOT_RUN,
            guarantees=execution.guarantees if execution else None,
            variance=ending.evaluation.variance.source if ending.evaluation else None,
            exit_code=execution.exit_code if execution else None,
            signal=execution.signal if execution else None,
            started=ending.started.isoformat(timespec="seconds"),
            wall_s=execution.wall_s if execution else 0.0,
            step_s=step_s,
            peak_rss_bytes=execution.peak_rss_bytes if execution else 0,
            look=ending.look,
            controls=ending.controls is not None,
            metrics_version=None if ending.evaluation is None else version_of(ending.evaluation.document),
            predictions_sha256=predictions,
            predictions_kept=predictions is not None and not discard_predictions,
            provenance=collect_provenance(),
            files=seal_files(folder),
        )
        write_record(folder, record)
        write_seal(folder, record)
        write_pages(RunFolder(folder, record))
    return open_run(runs / final)


def _keep_output(folder: Path, executed: Executed | None, discard_predictions: bool) -> str | None:
    """Take over log, predictions, model and diagnostics; the hash of the predictions. Links are left behind."""
    if executed is None:
        write_text(folder / LOG_FILE, "")
        return None
    _place(executed.log, folder / LOG_FILE)
    _take_tree(executed.output / MODEL, folder / MODEL)
    diagnostics = executed.output / DIAGNOSTICS_FILE
    if _is_plain(diagnostics) and diagnostics.stat().st_size <= MOST_DIAGNOSTICS:
        _place(diagnostics, folder / DIAGNOSTICS_FILE)
    found = predictions_in(executed.output)
    if found is None:
        return None
    digest = predictions_hash(found)
    if not discard_predictions:
        if found.is_dir():
            _take_tree(found, folder / PREDICTIONS)
        else:
            _place(found, folder / PREDICTIONS_FILE)
    return digest


def _take_tree(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        return
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        through_link = any((source / parent).is_symlink() for parent in inner.parents)
        if _is_plain(path) and not through_link:
            _place(path, target / inner)


def _place(source: Path, target: Path) -> None:
    """Link a file into the run without copying; the step that holds it is removed afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
