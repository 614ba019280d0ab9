"""Sealed records with made-up scores: as many as a board is asked to hold, each of the size of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.contract.status import RunStatus
from harness.contract.task import NamedHash
from harness.metrics.registry import HEADLINE
from harness.records.provenance import Provenance
from harness.records.record import Parameters, RunConfig, RunRecord, SubmissionCard, TaskReference
from harness.records.run_folder import (
    CONFIG_FILE,
    METRICS_FILE,
    SPLIT_FILE,
    TABLE_FILE,
    open_run,
    run_name,
    seal_files,
    write_record,
)
from harness.records.seal import add_page, write_seal
from harness.storage import canonical_json
from harness.verdicts.judge import VERDICT_FILE

START = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE_TASK = "uncertainty.coverage_90_error"
PRIMARY = HEADLINE[0]
PROVENANCE = Provenance(
    command="harness submit", harness_version="0", python="3.11", platform="any", packages={}, git_revision=None,
    git_dirty=None, cpu="any", n_cpus=1, memory_bytes=1,
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What a record says; what is not told is plain."""

    submission: str = "mine"
    error: Sequence[float] | None = (0.1, 0.2, 0.3)
    """The primary metric of every condition, all other metrics follow it; None where nothing was scored."""
    seed: int = 0
    task: str = "demo:context_ood"
    eval_split: str = "test"
    status: RunStatus = RunStatus.OK
    reason: str = "ran, predictions accepted, scored"
    title: str = "Mine"
    variant: str | None = None
    authors: tuple[str, ...] = ("Somebody",)
    content: str = "c"
    split_hash: str = "5" * 64
    metrics_version: str = "3" * 64
    judged: bool = True
    isolation: str = "sandbox"
    failed_gates: tuple[str, ...] = ()
    uninformative: tuple[str, ...] = ()
    second: int = 0
    """When it started."""
    page: str | None = '<html lang="en"><title>scorecard</title><body>numbers</body></html>'
    other_metrics: int = 0
    """Metrics beside those of the board, to make the table as long as a real one."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """More of `metrics.json`."""


def sealed_run(runs: Path, told: Told) -> Path:
    """Write one sealed run folder."""
    config = _config(told)
    name = run_name(
        START + timedelta(seconds=told.second), told.split_hash, told.submission[:40], config.config_hash
    )
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / CONFIG_FILE).write_text(canonical_json(config.model_dump(mode="json", by_alias=True)))
    (folder / SPLIT_FILE).write_text(f"{told.split_hash}\n")
    if told.error is not None:
        document = {
            "predictions": {"not_ranked": []},
            "versions": {"metrics": {"calibrated": {}}},
        } | told.metrics
        (folder / METRICS_FILE).write_text(canonical_json(document, indent=1))
        pq.write_table(_table(told), folder / TABLE_FILE, compression="zstd")
    if told.error is not None and told.judged:
        (folder / VERDICT_FILE).write_text(canonical_json(_verdict(told)))
    record = _record(told, config, name, folder)
    write_record(folder, record)
    write_seal(folder, record)
    if told.page is not None:
        add_page(open_run(folder), "scorecard.html", told.page)
    return folder


def _config(told: Told) -> RunConfig:
    card = SubmissionCard(
        name=told.submission,
        version="1",
        title=told.title,
        variant=told.variant,
        content_hash=told.content * 64,
    )
    return RunConfig(
        submission=card,
        params=Parameters(defaulted={}, variant={}, passed={}),
        task=TaskReference(name=told.task, hash="7" * 64, eval_split=told.eval_split, seed=0),  # type: ignore[arg-type]
        data_hash="d" * 64,
        split_hash=told.split_hash,
        seed=told.seed,
        runtime="process",
    ).with_hash()


def _record(told: Told, config: RunConfig, name: str, folder: Path) -> RunRecord:
    dataset, _, split = told.task.partition(":")
    return RunRecord(
        run=name,
        attempt=name,
        status=told.status,
        reason=told.reason,
        submission=config.submission,
        authors=list(told.authors),
        task=config.task,
        dataset=NamedHash(name=dataset, hash="d" * 64),
        split=NamedHash(name=split, hash=told.split_hash),
        genes_hash="9" * 64,
        config_hash=config.config_hash,
        seed=told.seed,
        runtime="process",
        isolation=told.isolation,
        variance="native",
        started=(START + timedelta(seconds=told.second)).isoformat(),
        wall_s=1.0,
        step_s={},
        peak_rss_bytes=1,
        controls=told.judged,
        metrics_version=told.metrics_version if told.error is not None else None,
        predictions_sha256=None,
        predictions_kept=False,
        provenance=PROVENANCE,
        files=seal_files(folder),
    )


def _table(told: Told) -> pa.Table:
    assert told.error is not None
    error = np.array(told.error, np.float64)
    names = [*HEADLINE, *(f"scperturbench.other_{number}" for number in range(told.other_metrics))]
    rows: dict[str, list[Any]] = {
        key: [] for key in ("panel", "metric", "level", "perturbation", "value", "n")
    }
    for name in names:
        panel, _, metric = name.partition(".")
        values = error if name == PRIMARY else 1 - error
        told_values = [] if name == WHOLE_TASK else values.tolist()
        count = len(told_values) + 1
        rows["panel"] += [panel] * count
        rows["metric"] += [metric] * count
        rows["level"] += ["global", *["condition"] * len(told_values)]
        rows["perturbation"] += [None, *(f"P{i}" for i in range(len(told_values)))]
        rows["value"] += [float(values.mean()), *told_values]
        rows["n"] += [len(error)] * count
    length = len(rows["panel"])
    fixed = {"subset": "reported", "context": "C1", "covariates": "", "stratum": "", "reason": None}
    text = {key: pa.array([value] * length, pa.string()) for key, value in fixed.items()}
    return pa.table({**{key: pa.array(value) for key, value in rows.items()}, **text})


def _verdict(told: Told) -> dict[str, Any]:
    gates = [
        {
            "name": name,
            "state": "fail" if name in told.failed_gates else "pass",
            "reason": "as told",
            "number": None,
        }
        for name in ("complete", "beats controls", "calibrated")
    ]
    passports = {
        name: {"granted": name not in told.uninformative, "reason": "a replicate does not reach it"}
        for name in HEADLINE
    }
    return {"primary": PRIMARY, "gates": gates, "passports": {"metrics": passports}}
