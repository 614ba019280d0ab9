"""The schedulers: `local` by its cores, `slurm` by a job of one line."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from harness.doctor.command import NO_ANSWER, ask
from harness.doctor.finding import Finding, broken
from harness.doctor.slurm import ASK, probe_slurm

PATIENCE = 20
"""So many seconds a job may wait for its start."""
BUSY = (
    "Unable to allocate resources: Requested nodes are busy",
    "Immediate execution",
    "Resources temporarily unavailable",
)


def probe_local() -> Finding:
    """Runs side by side on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("local", True, facts={"cores": str(cores)})


def probe_queue() -> Finding:
    """SLURM, after it has really run a line; a full queue is said and is no fault."""
    found = probe_slurm()
    if not found.works:
        return found
    begin = time.monotonic()
    argv = [
        "srun",
        "--quiet",
        f"--immediate={PATIENCE}",
        "--ntasks=1",
        "--mem=32",
        "--time=1",
        "--job-name=harness-doctor",
    ]
    told = ask([*argv, "hostname"], seconds=PATIENCE + 15)
    if told.code == 0:
        took = f"a line ran on {told.out.strip()} in {time.monotonic() - begin:.1f} s"
        return replace(found, facts={**found.facts, "job": took})
    if told.code == NO_ANSWER or any(word in told.err for word in BUSY):
        return replace(
            found, facts={**found.facts, "job": f"none started within {PATIENCE} s: the queue is busy"}
        )
    return broken(
        "slurm",
        f"srun: {told.last_words}",
        f"name partition and account as the site asks, or {ASK}",
        found.version,
    )
