"""Runtime `process`: the harness's own interpreter, or any program, in a child process with limits.

Clean environment, private home and temporary folder, thread caps, limits on time, memory, output and log, and the whole
family of processes ended together. It is not a sandbox: files and network of the user stay reachable, and the isolation
that is recorded says so (`process+limits`).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes import supervisor
from harness.runtimes.ending import Ending, read_ending
from harness.runtimes.environment import clean_environment
from harness.runtimes.log import BoundedLog
from harness.runtimes.progress import PROGRESS_FILE, ProgressTail
from harness.runtimes.protocol import Guarantee, IsolationLevel, Job, Offer, OnProgress, Outcome
from harness.runtimes.watch import Breach, Watch

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessRuntime:
    """Runs a submission as a child process of this one."""

    name: str = "process"
    isolation: IsolationLevel = "process+limits"

    def offer(self) -> Offer:
        """Limits that a watching parent can hold it to."""
        watched = dict.fromkeys(
            (Guarantee.WALL, Guarantee.MEMORY, Guarantee.OUTPUT), "watched by the harness"
        )
        missing = dict.fromkeys((one for one in Guarantee if one not in watched), "no sandbox")
        return Offer(True, self.isolation, granted=watched, missing=missing)

    def argv(self, job: Job) -> list[str]:
        """`python -m harness.sdk MODULE:OBJECT`, or the manifest's command, with the task and output folders."""
        run = job.manifest.run
        folders = ["--task", str(job.task.absolute()), "--output", str(job.output.absolute())]
        if run.module is not None:
            return [sys.executable, "-m", "harness.sdk", run.module, *folders]
        if run.command is not None:
            return [*run.command, *folders]
        raise HarnessError(
            "this submission is a container image",
            where=job.manifest.name,
            got="runtime process",
            mend="choose a container runtime with --runtime",
        )

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end."""
        argv = self.argv(job)
        job.output.mkdir(parents=True, exist_ok=True)
        parent = job.output.absolute().parent
        with tempfile.TemporaryDirectory(
            prefix=".scratch-", dir=parent, ignore_cleanup_errors=True
        ) as scratch:
            environment = clean_environment(job, Path(scratch))
            return _supervise(argv, environment, job, on_progress, self.isolation)


def _supervise(
    argv: list[str],
    environment: dict[str, str],
    job: Job,
    on_progress: OnProgress | None,
    isolation: IsolationLevel,
) -> Outcome:
    started = time.monotonic()
    log_end, log_start = os.pipe()
    try:
        # a closed lifeline is how the supervisor learns that this process is gone
        family = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, str(job.limits.output_bytes), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_start,
            cwd=job.folder,
            env=environment,
            start_new_session=True,
        )
    except BaseException:
        os.close(log_end)
        raise
    finally:
        os.close(log_start)
    log = BoundedLog(log_end, job.limits.log_bytes)
    watch = Watch(family.pid, job.output, job.limits)
    tail = ProgressTail(job.output / PROGRESS_FILE)
    breach: Breach | None = None
    try:
        while breach is None and not _ended(family, POLL_SECONDS):
            breach = watch.look()
            _pass_on(tail, on_progress)
        if breach is not None:
            _stop(family, job.limits.grace_seconds if breach.polite else 0)
    except KeyboardInterrupt:
        breach = Breach(RunStatus.INTERRUPTED, "stopped by the user", polite=True)
        _stop(family, job.limits.grace_seconds)
    finally:
        _cut(family)
        log.close(job.log)
    _pass_on(tail, on_progress)
    told = _report(family.stdout)
    ending = read_ending(told, breach, log.content(), watch)
    return _outcome(ending, told, watch, time.monotonic() - started, isolation)


def _outcome(
    ending: Ending, told: dict[str, Any], watch: Watch, wall_s: float, isolation: IsolationLevel
) -> Outcome:
    return Outcome(
        status=ending.status,
        exit_code=ending.exit_code,
        signal=ending.signal,
        wall_s=wall_s,
        peak_rss_bytes=max(watch.peak_rss_bytes, int(told.get("peak_rss_bytes", 0))),
        isolation=isolation,
        detail=ending.detail,
    )


def _ended(family: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        family.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _pass_on(tail: ProgressTail, on_progress: OnProgress | None) -> None:
    progress = tail.latest()
    if progress is not None and on_progress is not None:
        on_progress(progress)


def _stop(family: subprocess.Popen[bytes], grace: float) -> None:
    """Ask the whole family to stop; what is left after the grace is killed by cutting the lifeline."""
    if grace > 0 and family.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            family.stdin.write(b"t")
            family.stdin.flush()
            _ended(family, grace)


def _cut(family: subprocess.Popen[bytes]) -> None:
    if family.stdin is not None and not family.stdin.closed:
        with contextlib.suppress(BrokenPipeError):
            family.stdin.close()
    if not _ended(family, 10):
        family.kill()
        family.wait()


def _report(stream: IO[bytes] | None) -> dict[str, Any]:
    """What the supervisor said of the end; empty where it was killed itself."""
    if stream is None:
        return {}
    with stream:
        line = stream.readline(4096)
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


RUNTIME = ProcessRuntime()
