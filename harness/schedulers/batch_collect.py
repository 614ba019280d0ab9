"""The end of a batch: what came out of every part, in one document; the shards of a score put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ExistsError, HarnessError
from harness.metrics.registry import HEADLINE
from harness.records.run_folder import METRICS_FILE, open_run
from harness.schedulers.batch import Batch
from harness.schedulers.batch_status import BatchStatus, PartState, PartStatus, batch_status
from harness.storage import new_folder, write_json

COLLECTED_FILE = "collected.json"


@dataclass(frozen=True)
class Collected:
    """What came out of a batch so far."""

    status: BatchStatus
    document: dict[str, Any]

    @property
    def counts(self) -> dict[str, int]:
        return self.status.counts


def collect(batch: Batch) -> Collected:
    """Read every finished part, put a finished score together, and leave `collected.json` in the batch's folder."""
    status = batch_status(batch, ask=False)
    document = status.document() | {"parts": [_result(one) for one in status.parts]}
    if batch.plan.purpose.kind == "score" and status.finished:
        document["score"] = str(_put_together(batch))
    write_json(batch.path / COLLECTED_FILE, document)
    return Collected(status, document)


def _result(one: PartStatus) -> dict[str, Any]:
    document = one.document()
    if one.state is not PartState.FINISHED or one.path is None or one.status is None:
        return document
    try:
        run = open_run(Path(one.path))
    except HarnessError as fault:
        return document | {"detail": f"{fault.what}: {fault.where}", "scores": {}}
    metrics = run.metrics() or {}
    scores = {}
    for name in HEADLINE:
        panel, _, metric = name.partition(".")
        value = metrics.get(panel, {}).get("global", {}).get(metric)
        if value is not None:
            scores[name] = value["value"]
    return document | {"scores": scores, "run": run.path.name, "seed": run.record.seed}


def _put_together(batch: Batch) -> Path:
    from harness.scoring.evaluate import put_together, write_evaluation
    from harness.scoring.worker import engine_of_job

    definition = batch.plan.purpose.definition
    out = Path(definition["out"])
    if (out / METRICS_FILE).is_file():
        return out
    engine = engine_of_job(definition["job"], where=batch.path, trusted=False)
    evaluation = put_together(engine, [batch.shard(part.number) for part in batch.plan.parts])
    try:
        with new_folder(out, kind="evaluation") as folder:
            write_evaluation(folder, evaluation, out.name)
    except ExistsError:
        if not (out / METRICS_FILE).is_file():  # another process put the same shards together meanwhile
            raise
    return out
