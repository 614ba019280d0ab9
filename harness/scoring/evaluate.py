"""The scorer as one call: accepted predictions and a built task in, the documents of a run out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.contract.predictions import PredictionsFile
from harness.datasets.dataset import PerturbDataset
from harness.records.run_folder import CALIBRATION_FILE, METRICS_FILE, TABLE_FILE
from harness.scoring.answers import RowsKind, expected_rows
from harness.scoring.document import UNCERTAINTY, metrics_document
from harness.scoring.engine import Engine, Progress, Scored, ScoreInputs
from harness.scoring.long_table import long_table
from harness.scoring.pictures import PICTURES_FILE, pictures_document
from harness.scoring.threads import one_blas_thread
from harness.scoring.variance import Variance, VarKind
from harness.scoring.workers import fitting_workers, score_in_processes
from harness.splits.split import Split
from harness.storage import write_json
from harness.tasks.folder import Task

__all__ = ["Evaluation", "evaluate", "expected_rows", "predictions_in", "put_together", "write_evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """Scored predictions."""

    document: dict[str, Any]
    """The content of `metrics.json`."""
    engine: Engine
    scored: Scored

    @property
    def complete(self) -> bool:
        """Whether every metric of every panel has a value or a reason."""
        return not self.document["missing"]

    @property
    def variance(self) -> Variance:
        return self.scored.variance

    def calibration(self) -> dict[str, Any]:
        """The content of `calibration.json`: the uncertainty panel on its own."""
        return {key: self.document[key] for key in ("schema", "task", "variance", "versions", UNCERTAINTY)}

    def pictures(self) -> dict[str, Any]:
        """The content of `pictures.json`: what pages draw of the truth."""
        return pictures_document(self.engine, self.scored)

    def table(self, run: str) -> pa.Table:
        """The long table, under the name of its run."""
        return long_table(run, self.document, self.scored, self.engine.truth)


def evaluate(
    dataset: PerturbDataset,
    split: Split,
    task: Task,
    file: PredictionsFile,
    *,
    var_kind: VarKind,
    rows: RowsKind = "query",
    workers: int | None = None,
    keep: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Score accepted predictions. Where they have no variance, one is filled from training residuals and named so.

    `workers`: processes for the first stage; by default as many as pay. Any number gives the same bits.
    """
    engine = Engine(ScoreInputs(dataset, split, task, file, var_kind, rows, keep))
    return score(engine, workers, progress)


def score(engine: Engine, workers: int | None = None, progress: Progress | None = None) -> Evaluation:
    """All stages on this machine."""
    wanted = fitting_workers(engine.size) if workers is None else workers
    with tempfile.TemporaryDirectory(prefix="harness-score-") as scratch:
        if wanted > 1 and engine.portable:
            folders = score_in_processes(engine, Path(scratch), wanted, progress)
        else:
            folders = [Path(scratch) / "shard-1-of-1"]
            engine.score_shard(1, 1, folders[0], progress)
        return put_together(engine, folders)


def score_in_shards(engine: Engine, shards: int, progress: Progress | None = None) -> Evaluation:
    """The first stage in shards, one after the other; the same bits as in one."""
    with tempfile.TemporaryDirectory(prefix="harness-score-") as scratch:
        folders = [Path(scratch) / f"shard-{k}-of-{shards}" for k in range(1, shards + 1)]
        for number, folder in enumerate(folders, 1):
            engine.score_shard(number, shards, folder, progress)
        return put_together(engine, folders)


def put_together(engine: Engine, folders: Sequence[Path]) -> Evaluation:
    """The stages after the first, from the folders of all shards."""
    with tempfile.TemporaryDirectory(prefix="harness-score-") as scratch, one_blas_thread():
        scored = engine.finish(folders, Path(scratch))
        document = metrics_document(engine, scored)
        return Evaluation(document, engine, scored)


def write_evaluation(folder: Path, evaluation: Evaluation, run: str) -> None:
    """Write the documents of scored predictions into a folder."""
    write_json(folder / METRICS_FILE, evaluation.document)
    write_json(folder / CALIBRATION_FILE, evaluation.calibration())
    write_json(folder / PICTURES_FILE, evaluation.pictures())
    pq.write_table(evaluation.table(run), folder / TABLE_FILE, compression="zstd")


def predictions_in(folder: Path) -> Path | None:
    """The predictions that an output folder holds, as a file or as a folder of arrays; links do not count."""
    for name in ("predictions.npz", "predictions"):
        path = folder / name
        if path.is_symlink():
            continue
        if path.is_dir() if name == "predictions" else path.is_file():
            return path
    return None
