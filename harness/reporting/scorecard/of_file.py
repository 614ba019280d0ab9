"""The scorecard of a predictions file that was scored without its model: the same page, of less that is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.contract.status import RunStatus
from harness.contract.task import NamedHash
from harness.datasets.dataset import PerturbDataset
from harness.records.provenance import collect_provenance
from harness.records.record import Parameters, RunConfig, RunRecord, SubmissionCard, TaskReference
from harness.records.run_folder import METRICS_FILE, TABLE_FILE
from harness.records.versions import version_of
from harness.reporting.scorecard.compile import compile_sheet
from harness.reporting.scorecard.parts import PICTURES_FILE, Parts
from harness.reporting.scorecard.write import pages_of
from harness.scoring.score_table import ScoreTable
from harness.splits.split import Split
from harness.storage import read_json, write_text
from harness.tasks.folder import Task

TITLE = "a predictions file, scored without the model that made it"


def write_file_scorecard(
    folder: Path, name: str, file: tuple[str, str], dataset: PerturbDataset, split: Split, task: Task
) -> None:
    """Write the pages beside the scores in `folder`, which will be called `name`; `file` is its name and hash."""
    metrics = read_json(folder / METRICS_FILE, "metrics")
    pictures = folder / PICTURES_FILE
    config = _config(file, dataset, split, task)
    complete = not metrics["missing"]
    record = RunRecord(
        run=name,
        attempt="",
        status=RunStatus.OK if complete else RunStatus.INCOMPLETE,
        reason=TITLE if complete else f"{len(metrics['missing'])} metrics have neither value nor reason",
        submission=config.submission,
        task=config.task,
        dataset=NamedHash(name=dataset.name, hash=dataset.data_hash),
        split=NamedHash(name=split.name, hash=split.frozen_hash),
        genes_hash=dataset.meta.genes_hash,
        config_hash="",
        seed=0,
        runtime="none",
        isolation="none",
        variance=metrics["variance"]["source"],
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_s=0.0,
        step_s={},
        peak_rss_bytes=0,
        metrics_version=version_of(metrics),
        predictions_sha256=file[1],
        predictions_kept=False,
        provenance=collect_provenance(),
        files={},
    )
    parts = Parts(
        record=record,
        config=config,
        metrics=metrics,
        table=ScoreTable.read(folder / TABLE_FILE),
        pictures=read_json(pictures, "pictures") if pictures.is_file() else None,
        sealed=False,
    )
    for page, text in pages_of(compile_sheet(parts)).items():
        write_text(folder / page, text)


def _config(file: tuple[str, str], dataset: PerturbDataset, split: Split, task: Task) -> RunConfig:
    card = SubmissionCard(name=file[0], version="", title=TITLE, variant=None, content_hash="")
    eval_split = task.card.eval_split
    return RunConfig(
        submission=card,
        params=Parameters(defaulted={}, variant={}, passed={}),
        task=TaskReference(
            name=f"{dataset.name}:{split.name}", hash=task.hash, eval_split=eval_split, seed=0
        ),
        data_hash=dataset.data_hash,
        split_hash=split.frozen_hash,
        seed=0,
        runtime="none",
    )
