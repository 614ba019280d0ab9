"""A finished run scored anew from its stored predictions: the numbers alone, or a new run beside the old one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from harness.contract.predictions import PREDICTIONS_FILE, Expected, open_predictions
from harness.contract.status import RunStatus
from harness.controls.baselines import same_rule
from harness.controls.control_set import ControlSet
from harness.controls.document import write_controls
from harness.datasets.dataset import PerturbDataset
from harness.errors import ChangedError, HarnessError
from harness.records.ledger import enter_look
from harness.records.ledger_entry import LookReference, Purpose
from harness.records.provenance import collect_provenance
from harness.records.run_folder import (
    CONFIG_FILE,
    LOG_FILE,
    METRICS_FILE,
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
from harness.schedulers.assemble import DIAGNOSTICS_FILE
from harness.schedulers.controls import Tell, controls_of
from harness.schedulers.judging import verdict_of
from harness.schedulers.pages import write_pages
from harness.schedulers.submit import scored_status
from harness.scoring.direct_table import table_of
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import Evaluation, predictions_in, write_evaluation
from harness.splits.split import Split
from harness.storage import write_json, write_text
from harness.tasks.build import InputFormat, build_task, task_hash
from harness.tasks.folder import Task
from harness.verdicts.judge import VERDICT_FILE, Verdict

TAKEN_OVER = (CONFIG_FILE, SPLIT_FILE, LOG_FILE, DIAGNOSTICS_FILE, PREDICTIONS_FILE, PREDICTIONS, MODEL)
"""What a run has from the submission and its request; everything else is made of scores, and made anew."""


@dataclass(frozen=True)
class RunContext:
    """What a run was made from, found again."""

    run: RunFolder
    dataset: PerturbDataset
    split: Split
    task: Task


@dataclass(frozen=True)
class Judged:
    """What a run was held against, and what its gates found."""

    controls: ControlSet
    verdict: Verdict


def find_context(
    run: RunFolder, dataset: PerturbDataset, split: Split, graphs: Sequence[Path], cache: Path
) -> RunContext:
    """Build the task of a run again, or find it built; it must be the same to the last byte."""
    record = run.record
    if (dataset.data_hash, split.frozen_hash) != (record.dataset.hash, record.split.hash):
        raise ChangedError(
            "dataset or split are not those of the run",
            where=run.path,
            got=f"{dataset.name} {dataset.data_hash[:12]}, {split.name} {split.frozen_hash[:12]}",
            expected=f"{record.dataset.name} {record.dataset.hash[:12]}, {record.split.hash[:12]}",
            mend="name the dataset and split that the run was made with: --data and --split",
        )
    for input_format in get_args(InputFormat):
        for given in (tuple(graphs), ()):
            known = {"input_format": input_format, "graphs": given}
            if task_hash(dataset, split, record.task.eval_split, **known) == record.task.hash:
                built = build_task(dataset, split, record.task.eval_split, cache=cache, **known)
                return RunContext(run, dataset, split, built)
    raise ChangedError(
        "the task of the run cannot be built again",
        where=run.path,
        got="another task from the same dataset and split",
        expected=f"task {record.task.hash}",
        mend="were graphs added or changed, or the SDK updated, since it ran? Submit it again",
    )


def enter_look_at(context: RunContext, ledger: Path, purpose: Purpose) -> LookReference | None:
    """Enter that the truth of a run's task is about to be opened again; None on validation, which is free."""
    record = context.run.record
    return enter_look(
        ledger,
        context.task,
        purpose,
        reason=f"run {record.run}",
        submission=record.submission,
        config_hash=record.config_hash,
        predictions_sha256=record.predictions_sha256,
    )


def engine_of_run(context: RunContext, *, keep: bool = True) -> Engine:
    """The scorer of a run's stored predictions, which must be those of its record. It opens the truth: enter that first."""
    run = context.run
    if METRICS_FILE not in run.record.files:
        raise HarnessError(
            "the run was never scored",
            where=run.path,
            got=f"status {run.record.status}: {run.record.reason}",
            mend="submit it again",
        )
    path = predictions_in(run.path)
    if path is None:
        raise HarnessError(
            "the run has no predictions to score",
            where=run.path,
            got="only their hash was kept",
            mend="submit it again",
        )
    file = open_predictions(path, Expected.of(context.task.card, var_required=False))
    if file.sha256 != run.record.predictions_sha256:
        raise ChangedError(
            "the predictions of the run have changed",
            where=path,
            got=file.sha256,
            expected=run.record.predictions_sha256,
        )
    kind = (run.metrics() or {}).get("variance", {}).get("kind", "effect")
    return Engine(ScoreInputs(context.dataset, context.split, context.task, file, kind, keep=keep))


def judge_again(
    context: RunContext, evaluation: Evaluation, *, ledger: Path, passports: Path | None, tell: Tell
) -> Judged | None:
    """Hold a run that was held against controls against them again; None for what was a quick look."""
    record = context.run.record
    if not record.controls:
        return None
    controls = controls_of(evaluation, ledger, tell)
    own = same_rule(record.submission.content_hash, context.run.config().params.resolved)
    verdict = verdict_of(evaluation, controls, own, passports=passports, ledger=ledger, tell=tell)
    return Judged(controls, verdict)


def write_rescored(
    context: RunContext,
    evaluation: Evaluation,
    look: LookReference | None = None,
    judged: Judged | None = None,
) -> RunFolder:
    """A new run with the same predictions and new scores, beside the old one, which stays as it is."""
    old = context.run
    now = datetime.now(UTC)
    _, _, rest = old.path.name.partition("_")
    label = rest.partition("_")[2].rpartition("_")[0]
    name = run_name(now, old.record.split.hash, label or old.record.submission.name, old.record.config_hash)
    status, reason = scored_status(evaluation)
    if judged is not None and judged.verdict.held:
        status, reason = RunStatus.HELD, judged.verdict.reason
    with new_run(old.path.parent, name) as (folder, final):
        _take_over(old.path, folder)
        write_evaluation(folder, evaluation, final)
        if judged is not None:
            write_controls(folder, judged.controls, table_of(evaluation))
            write_json(folder / VERDICT_FILE, judged.verdict.document())
        write_text(folder / STATUS_FILE, status_line(status, reason))
        record = old.record.model_copy(
            update={
                "run": final,
                "status": status,
                "reason": reason,
                "variance": evaluation.variance.source,
                "provenance": collect_provenance(),
                "rescored_from": old.path.name,
                "look": look,
                "controls": judged is not None,
                "metrics_version": version_of(evaluation.document),
                "files": seal_files(folder),
            }
        )
        write_record(folder, record)
        write_seal(folder, record)
        write_pages(RunFolder(folder, record))
    return open_run(old.path.parent / final)


def _take_over(source: Path, target: Path) -> None:
    """Everything of a run that is not made of its scores, linked where the disk can."""
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if path.is_symlink() or not path.is_file() or inner.parts[0] not in TAKEN_OVER:
            continue
        (target / inner).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target / inner)
        except OSError:
            shutil.copyfile(path, target / inner)
