"""What a runtime is given and what it gives back: one submission on one task folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from harness.contract.manifest import Param, Resources, Submission
from harness.contract.status import RunStatus

IsolationLevel = Literal["container", "sandbox", "process+limits", "none"]
IsolationWish = Literal["auto", "strict", "best-effort"]
GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What one run may use."""

    cpus: int = 2
    memory_bytes: int = 8 * GIB
    seconds: float = 1800
    output_bytes: int = 16 * GIB
    """Size of everything in the output folder together."""
    log_bytes: int = 1 << 20
    """How much of standard output and error is kept: the head and the tail."""
    grace_seconds: float = 5
    """Between the request to stop and the kill."""

    @classmethod
    def of(cls, resources: Resources) -> Limits:
        """The limits that a manifest asks for."""
        return cls(cpus=resources.cpus, memory_bytes=resources.memory_bytes, seconds=resources.seconds)


@dataclass(frozen=True)
class Job:
    """One run: a submission, a task folder, and where its output and log go."""

    manifest: Submission
    folder: Path
    """The submission folder; the working directory of the run."""
    task: Path
    output: Path
    log: Path
    params: Mapping[str, Param]
    seed: int
    limits: Limits


@dataclass(frozen=True)
class Progress:
    """One line of `progress.jsonl`."""

    step: float
    of: float | None
    message: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: RunStatus
    exit_code: int | None
    signal: int | None
    wall_s: float
    peak_rss_bytes: int
    isolation: IsolationLevel
    """The isolation that was really in force."""
    detail: str
    """One sentence on why it ended so."""


OnProgress = Callable[[Progress], None]


class Runtime(Protocol):
    """A way to isolate one submission."""

    name: str
    isolation: IsolationLevel
    """The strongest isolation that it gives on this machine."""

    def argv(self, job: Job) -> list[str]:
        """The command line that it starts."""
        ...

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end, whatever that is; only a fault of the harness itself is raised."""
        ...
