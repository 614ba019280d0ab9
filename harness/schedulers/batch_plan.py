"""Deciding a batch: every part is planned, and what is wrong with any of them is refused, before anything is written."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

from harness.contract.manifest import Param
from harness.errors import ExistsError, HarnessError
from harness.schedulers.batch import BATCHES, Batch, BatchPlan, Needs, Part, Purpose, create_batch
from harness.schedulers.batch_part import runs_of
from harness.schedulers.batch_request import request_document
from harness.schedulers.submit import Plan
from harness.scoring.engine import Engine
from harness.scoring.workers import job_document, usable_cores
from harness.splits.split import Split
from harness.storage import make_folder

On = Literal["local", "slurm"]
ENGINES_OF_A_DAEMON = ("docker", "podman")
SCORE_MEMORY = 4 << 30
SCORE_SECONDS = 4 * 3600


def plan_batch(
    plans: Sequence[Plan],
    *,
    on: On,
    root: Path,
    name: str | None = None,
    jobs: int | None = None,
    slurm: Mapping[str, Any] | None = None,
    purpose: Purpose | None = None,
    axes: Sequence[Mapping[str, Param]] = (),
) -> BatchPlan:
    """One part for each planned run, in the order given; `axes` says where each stands in a grid."""
    for plan in plans:
        if on == "slurm" and plan.config.runtime in ENGINES_OF_A_DAEMON:
            raise HarnessError(
                f"runtime {plan.config.runtime!r} does not go with SLURM",
                where=plan.config.submission.name,
                got="a container that belongs to a daemon: it outlives its job, and escapes its limits",
                expected="apptainer, process or venv",
                mend="--runtime apptainer runs the same image",
            )
    twice = [one for one, n in Counter(plan.config.config_hash for plan in plans).items() if n > 1]
    if twice:
        label = next(_label(plan) for plan in plans if plan.config.config_hash == twice[0])
        raise HarnessError("the same run is asked for twice", where=label, mend="name each once")
    runs = plans[0].request.runs.absolute()
    parts = [
        Part(
            number=number,
            label=_label(plan),
            config_hash=plan.config.config_hash,
            before=[run.path.name for run in runs_of(runs, plan.config.config_hash)],
            request=request_document(plan.request),
            axes=dict(axes[number - 1]) if axes else {"seed": plan.request.seed},
            needs=needs_of(plan),
        )
        for number, plan in enumerate(plans, 1)
    ]
    words = {plan.config.submission.name for plan in plans}
    return BatchPlan(
        name=name or _free_name(runs, words.pop() if len(words) == 1 else f"{len(words)}-submissions"),
        on=on,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
        runs=str(runs),
        root=str(root.absolute()),
        purpose=purpose or Purpose(kind="submit"),
        jobs=jobs or fitting_jobs([part.needs for part in parts]),
        slurm=dict(slurm or {}),
        parts=parts,
    )


def plan_score(
    engine: Engine,
    shards: int,
    *,
    runs: Path,
    root: Path,
    out: Path,
    slurm: Mapping[str, Any],
    name: str | None = None,
) -> BatchPlan:
    """One part for each shard of a score; the last job puts them together in `out`."""
    make_folder(runs)
    needs = Needs(cpus=1, memory_bytes=SCORE_MEMORY, seconds=SCORE_SECONDS)
    return BatchPlan(
        name=name or _free_name(runs.absolute(), "score"),
        on="slurm",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
        runs=str(runs.absolute()),
        root=str(root.absolute()),
        purpose=Purpose(kind="score", definition={"job": job_document(engine), "out": str(out.absolute())}),
        slurm=dict(slurm),
        parts=[
            Part(number=number, label=f"shard {number} of {shards}", axes={"shard": number}, needs=needs)
            for number in range(1, shards + 1)
        ],
    )


def write_batch(plan: BatchPlan, plans: Sequence[Plan] = ()) -> Batch:
    """Write the batch's folder with the splits of its runs."""
    splits: dict[str, Split] = {one.request.split.frozen_hash: one.request.split for one in plans}
    return create_batch(plan, splits)


def fitting_jobs(needs: Sequence[Needs]) -> int:
    """How many of these runs fit on this machine at one time."""
    cores = usable_cores() // max(one.cpus for one in needs)
    memory = int(psutil.virtual_memory().total) // max(one.memory_bytes for one in needs)
    return max(1, min(cores, memory, len(needs)))


def needs_of(plan: Plan) -> Needs:
    """What a run asks of a machine."""
    asked = plan.manifest.resources
    return Needs(cpus=asked.cpus, memory_bytes=asked.memory_bytes, seconds=asked.seconds, gpus=asked.gpus)


def _label(plan: Plan) -> str:
    card = plan.config.submission
    variant = f"@{card.variant}" if card.variant else ""
    return f"{card.name}{variant} on {plan.config.task.name}, {plan.config.task.eval_split}, seed {plan.config.seed}"


def _free_name(runs: Path, word: str) -> str:
    """`<UTCYYYYMMDD-HHMMSS>-<word>`, with -2, -3, … where that is taken."""
    clock = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{word.lower()}"
    for number in range(1, 1000):
        name = clock if number == 1 else f"{clock}-{number}"
        if not (runs / BATCHES / name).exists():
            return name
    raise ExistsError("too many batches of this name", where=runs / BATCHES / clock)


def _command() -> str:
    return shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
