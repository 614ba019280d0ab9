"""Runtime `process`: the harness's own interpreter, or any program, in a child process in the best sandbox there is.

Clean environment, private home and temporary folder, thread caps, limits on time, memory, processes, output and log, and
the whole family of processes ended together. What the sandbox gives here is found by trying, and recorded with each run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.runtimes.protocol import IsolationLevel, Job, Limits, Offer, OnProgress, Outcome
from harness.runtimes.sandbox.cgroup import make_cgroup
from harness.runtimes.sandbox.enclose import enclose, held_to
from harness.runtimes.sandbox.layers import MEND, Layer, LayerName, best_layer, try_layer
from harness.runtimes.sandbox.view import Program
from harness.runtimes.supervision import supervise
from harness.runtimes.written import give_to
from harness.storage import scratch_folder


@dataclass(frozen=True)
class ProcessRuntime:
    """Runs a submission as a child process of this one."""

    name: str = "process"
    fixed: Layer | None = None
    """The layer to use; none for the best that works."""

    @property
    def isolation(self) -> IsolationLevel:
        return self.layer.isolation

    @property
    def layer(self) -> Layer:
        """What holds the runs here."""
        return self.fixed or best_layer()

    def offer(self) -> Offer:
        """What the layer and the control groups of this machine give."""
        return sandbox_offer(self.layer)

    def argv(self, job: Job) -> list[str]:
        """`python -m harness.sdk MODULE:OBJECT`, or the manifest's command, with the task and output folders."""
        folders = ["--task", str(job.task.absolute()), "--output", str(job.output.absolute())]
        return [*self.program(job).words, *folders]

    def program(self, job: Job) -> Program:
        """What is started, and the places that it needs."""
        run = job.manifest.run
        prefix = Path(sys.prefix)
        exposed = (prefix, prefix.resolve())
        search = (str(Path(sys.executable).parent),)
        if run.module is not None:
            return Program((sys.executable, "-m", "harness.sdk", run.module), search, exposed)
        if run.command is not None:
            return Program(tuple(run.command), search, exposed)
        raise HarnessError(
            "this submission is a container image",
            where=job.manifest.name,
            got=f"runtime {self.name}",
            mend="choose a container runtime with --runtime",
        )

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end."""
        return run_program(self.program(job), job, self.layer, on_progress)


def run_program(program: Program, job: Job, layer: Layer, on_progress: OnProgress | None = None) -> Outcome:
    """Run any program on a job under a layer."""
    job.output.mkdir(parents=True, exist_ok=True)
    uid = layer.bubblewrap.uid if layer.bubblewrap is not None else None
    with scratch_folder(job.output) as scratch:
        start = enclose(program, job, layer, scratch)
        if uid is None:
            return supervise(start, job, on_progress)
        give_to(job.output, uid, uid)
        try:
            return supervise(start, job, on_progress)
        finally:
            give_to(job.output, 0, 0)


def layer_named(name: LayerName | None) -> Layer:
    """A layer by name, refused where it does not work; without a name the best there is."""
    if name is None:
        return best_layer()
    found = try_layer(name)
    if isinstance(found, str):
        raise HarnessError("this layer of isolation is not available", where=name, got=found, mend=MEND)
    return found


def sandbox_offer(layer: Layer) -> Offer:
    """What a layer gives on this machine together with its control groups."""
    limits = Limits()
    cgroup = make_cgroup(limits)
    cgroup.remove()
    granted, missing = held_to(layer, cgroup, limits.pids if layer.bubblewrap is not None else None)
    return Offer(
        True,
        layer.isolation,
        version=f"{layer.name} {layer.version}".strip(),
        granted=granted,
        missing=missing,
        reason="; ".join(layer.passed_over),
        mend=MEND if layer.passed_over else "",
    )


RUNTIME = ProcessRuntime()
