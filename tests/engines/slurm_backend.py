"""Any runtime inside a job of SLURM: what a submission can reach must not depend on who started the harness.

`python slurm_backend.py RUNTIME FOLDER` is the job itself: it runs what `FOLDER/job.json` says and leaves `outcome.json`.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.contract.manifest import Submission
from harness.contract.status import RunStatus
from harness.runtimes.protocol import Guarantee, IsolationLevel, Job, Limits, Offer, OnProgress, Outcome
from harness.runtimes.registry import runtimes

PATIENCE_S = 180


@dataclass(frozen=True)
class InSlurm:
    """A runtime, started by sbatch, awaited by its files."""

    inner: str

    @property
    def name(self) -> str:
        return f"slurm-{self.inner}"

    @property
    def isolation(self) -> IsolationLevel:
        return runtimes()[self.inner].isolation

    def offer(self) -> Offer:
        """That of the runtime itself."""
        return runtimes()[self.inner].offer()

    def argv(self, job: Job) -> list[str]:
        """That of the runtime itself."""
        return runtimes()[self.inner].argv(job)

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Hand the job in, and wait for its outcome."""
        with tempfile.TemporaryDirectory(prefix="harness-job-", ignore_cleanup_errors=True) as scratch:
            folder = Path(scratch)
            write_job(folder / "job.json", job)
            command = shlex.join([sys.executable, __file__, self.inner, str(folder)])
            script = folder / "job.sh"
            script.write_text(f"#!/bin/sh\nexec {command}\n")
            words = [
                "sbatch",
                "--parsable",
                f"--output={folder}/log",
                "--mem=4G",
                "--cpus-per-task=1",
                str(script),
            ]
            number = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
            wait_for(folder, number, job.limits.seconds + PATIENCE_S)
            return read_outcome(folder / "outcome.json")


def wait_for(folder: Path, number: str, seconds: float) -> None:
    """Wait until the job has left its outcome."""
    end = time.monotonic() + seconds
    while not (folder / "outcome.json").is_file():
        if time.monotonic() > end:
            subprocess.run(["scancel", number], check=False)
            said = (folder / "log").read_text() if (folder / "log").is_file() else ""
            raise AssertionError(f"job {number} left no outcome: {said[-2000:]}")
        time.sleep(0.05)


def write_job(path: Path, job: Job) -> None:
    """A job as JSON."""
    told = {
        "manifest": job.manifest.document(),
        "params": dict(job.params),
        "seed": job.seed,
        "limits": asdict(job.limits),
        **{name: str(getattr(job, name)) for name in ("folder", "task", "output", "log")},
    }
    path.write_text(json.dumps(told))


def read_job(path: Path) -> Job:
    """A job from JSON."""
    told = json.loads(path.read_text())
    paths = {name: Path(told.pop(name)) for name in ("folder", "task", "output", "log")}
    manifest = Submission.read(told.pop("manifest"), where=path)
    return Job(manifest=manifest, limits=Limits(**told.pop("limits")), **paths, **told)


def read_outcome(path: Path) -> Outcome:
    """An outcome from JSON."""
    told = json.loads(path.read_text())
    for field in ("granted", "missing"):
        told[field] = {Guarantee(name): by for name, by in told[field].items()}
    return Outcome(status=RunStatus(told.pop("status")), **told)


def main(inner: str, folder: Path) -> None:
    """The job itself."""
    outcome = runtimes()[inner].run(read_job(folder / "job.json"))
    partial = folder / "outcome.partial"
    partial.write_text(json.dumps(asdict(outcome)))
    partial.rename(folder / "outcome.json")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
