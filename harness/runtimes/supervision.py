"""Starting a command under the supervisor, watching it, and telling how it ended."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from harness.contract.status import RunStatus
from harness.runtimes import supervisor
from harness.runtimes.compiled import compiled
from harness.runtimes.ending import read_ending
from harness.runtimes.log import BoundedLog
from harness.runtimes.progress import PROGRESS_FILE, ProgressTail
from harness.runtimes.protocol import Guarantee, IsolationLevel, Job, OnProgress, Outcome
from harness.runtimes.sandbox.cgroup import Cgroup
from harness.runtimes.sandbox.view import interpreter
from harness.runtimes.watch import Breach, Watch

POLL_SECONDS = 0.05
CLEARING_SECONDS = 10
"""A supervisor that has reported has only its control groups to remove."""


@dataclass(frozen=True)
class Start:
    """A command as it is really started, and what holds it."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    isolation: IsolationLevel
    wrapped: bool
    """Whether the command is the shell of a sandbox with a first program that reports."""
    cgroup: Cgroup
    granted: Mapping[Guarantee, str] = field(default_factory=dict)
    missing: Mapping[Guarantee, str] = field(default_factory=dict)


def supervise(start: Start, job: Job, on_progress: OnProgress | None) -> Outcome:
    """Run the command to its end."""
    started = time.monotonic()
    family, log = _begin(start, job)
    counted = Guarantee.MEMORY in start.cgroup.granted
    oom_kills = start.cgroup.oom_kills if counted else None
    watch = Watch(family.pid, job.output, job.limits, oom_kills=oom_kills)
    tail = ProgressTail(job.output / PROGRESS_FILE)
    breach: Breach | None = None
    try:
        while breach is None and not _ended(family, max(POLL_SECONDS, 5 * watch.look_seconds)):
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
        start.cgroup.remove()
    _pass_on(tail, on_progress)
    told = _report(family.stdout)
    ending = read_ending(told, breach or watch.last_look(), log.content(), watch)
    return Outcome(
        status=ending.status,
        exit_code=ending.exit_code,
        signal=ending.signal,
        wall_s=time.monotonic() - started,
        peak_rss_bytes=max(watch.peak_rss_bytes, int(told.get("peak_rss_bytes", 0))),
        isolation=start.isolation,
        detail=ending.detail,
        granted=dict(start.granted),
        missing=dict(start.missing),
    )


def _begin(start: Start, job: Job) -> tuple[subprocess.Popen[bytes], BoundedLog]:
    plan = {
        "file_limit": job.limits.output_bytes,
        "groups": [str(folder) for folder in start.cgroup.folders],
        "wrapped": start.wrapped,
    }
    plan_text = marshal.dumps(plan).hex()
    log_end, log_start = os.pipe()
    try:
        # a closed lifeline is how the supervisor learns that this process is gone
        family = subprocess.Popen(
            [interpreter(), "-I", "-S", str(compiled(Path(supervisor.__file__))), plan_text, *start.argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_start,
            cwd=start.folder,
            env=dict(start.environment),
            start_new_session=True,
        )
    except BaseException:
        os.close(log_end)
        start.cgroup.remove()
        raise
    finally:
        os.close(log_start)
    return family, BoundedLog(log_end, job.limits.log_bytes)


def _ended(family: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the supervisor has reported or is gone; its pipe wakes at once, where waiting for a process means polling."""
    if family.stdout is None or not select.select([family.stdout], [], [], seconds)[0]:
        return False
    _wake_at_end(family, CLEARING_SECONDS)
    return family.poll() is not None


def _wake_at_end(family: subprocess.Popen[bytes], seconds: float) -> None:
    """Return when a process has ended; `Popen.wait` with a time limit sleeps and looks, a descriptor of it wakes at once."""
    try:
        descriptor = os.pidfd_open(family.pid)
    except (AttributeError, OSError):
        with contextlib.suppress(subprocess.TimeoutExpired):
            family.wait(seconds)
        return
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


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
        return supervisor.read_told(stream.read(1 << 16))
