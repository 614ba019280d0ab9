"""What a runtime is given and what it gives back: one submission on one task folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from harness.contract.manifest import Param, Resources, Submission
from harness.contract.status import RunStatus

IsolationLevel = Literal["container", "sandbox", "process+limits", "none"]
IsolationWish = Literal["auto", "strict", "best-effort"]
GIB = 1 << 30


class Guarantee(StrEnum):
    """Something that a run is promised to be held to."""

    OFFLINE = "offline"
    """No network of any kind, loopback of the host included."""
    READ_ONLY_INPUT = "read_only_input"
    """The task folder and the submission folder cannot be written to."""
    HIDDEN_HOST = "hidden_host"
    """Dataset store, sealed truth, home, other runs and other processes do not exist for it."""
    UID_DROP = "uid_drop"
    """It runs without the rights of who started it."""
    WALL = "wall"
    MEMORY = "memory"
    CPU = "cpu"
    PIDS = "pids"
    OUTPUT = "output"
    """The size of what it writes."""


OFFICIAL = (Guarantee.OFFLINE, Guarantee.READ_ONLY_INPUT, Guarantee.HIDDEN_HOST, Guarantee.WALL)
"""Without these a run is not official: `--isolation strict` refuses to start, and the board does not rank it."""


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
    pids: int = 512
    """Processes and threads at one time."""
    tmp_bytes: int = 2 * GIB
    """Size of the private `/tmp`."""
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
    granted: Mapping[Guarantee, str] = field(default_factory=dict)
    """What the run was really held to, and by what: `cgroup v1`, `bubblewrap`, …; anything absent was not enforced."""
    missing: Mapping[Guarantee, str] = field(default_factory=dict)
    """What it was not held to, each with the reason."""


@dataclass(frozen=True)
class Offer:
    """What a runtime gives on this machine, found by really running something in it."""

    works: bool
    isolation: IsolationLevel
    version: str = ""
    granted: Mapping[Guarantee, str] = field(default_factory=dict)
    missing: Mapping[Guarantee, str] = field(default_factory=dict)
    """Guarantees that it cannot give here, each with the reason."""
    reason: str = ""
    """Where it does not work: one line on what is wrong."""
    mend: str = ""
    """The line that mends it."""


OnProgress = Callable[[Progress], None]


class Runtime(Protocol):
    """A way to isolate one submission."""

    name: str
    isolation: IsolationLevel
    """The strongest isolation that it gives on this machine."""

    def offer(self) -> Offer:
        """What it gives here and now."""
        ...

    def argv(self, job: Job) -> list[str]:
        """The command line that it starts."""
        ...

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end, whatever that is; only a fault of the harness itself is raised."""
        ...
