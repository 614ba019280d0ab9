"""Runtime `venv`: an environment built from the submission's lock file, then the same sandbox as `process`.

The run sees what the lock says and the submission's side of the contract, nothing of the harness's own. Only building the
environment uses the network; the run is offline like any other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from harness.contract.content import package_source
from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.environments.build import (
    Environment,
    Say,
    UnbuildableError,
    environment,
    environment_folder,
    put_sdk,
    sdk_folder,
)
from harness.runtimes.environments.installers import installers
from harness.runtimes.environments.lock import MEND, Lock, read_lock
from harness.runtimes.process import run_program, sandbox_offer
from harness.runtimes.protocol import IsolationLevel, Job, Offer, OnProgress, Outcome, Progress
from harness.runtimes.sandbox.layers import Layer, best_layer
from harness.runtimes.sandbox.view import Program, interpreter_folders
from harness.settings import load_settings


@dataclass(frozen=True)
class VenvRuntime:
    """Runs a submission with the packages that its lock file names."""

    name: str = "venv"
    fixed: Layer | None = None
    """The layer to use; none for the best that works."""
    cache: Path | None = None
    """Where environments are kept; none for the project's own place."""

    @property
    def isolation(self) -> IsolationLevel:
        return self.layer.isolation

    @property
    def layer(self) -> Layer:
        """What holds the runs here."""
        return self.fixed or best_layer()

    def offer(self) -> Offer:
        """What the sandbox gives, as for `process`, where something is here that can fill an environment."""
        try:
            installers()
        except HarnessError as error:
            return Offer(False, self.isolation, reason=f"{error.what}: {error.got}", mend=error.mend or "")
        return sandbox_offer(self.layer)

    def argv(self, job: Job) -> list[str]:
        """The command line, with the interpreter of an environment that may still have to be built."""
        settings = load_settings()
        cache = self.cache or settings.environments
        folder = environment_folder(lock_of(job), cache, settings.wheels, settings.own_wheels)
        folders = ["--task", str(job.task.absolute()), "--output", str(job.output.absolute())]
        return [*program_in(folder, job).words, *folders]

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Build the environment where it is not there yet, then run the job to its end."""
        started = time.monotonic()

        def say(words: str) -> None:
            if on_progress is not None:
                on_progress(Progress(0, None, words))

        lock = lock_of(job)
        layer = self.layer
        try:
            found = self._environment(lock, say)
        except UnbuildableError as error:
            return _ended_before(RunStatus.ENVIRONMENT, str(error), job, layer, started)
        except KeyboardInterrupt:
            words = "stopped by the user while its environment was built"
            return _ended_before(RunStatus.INTERRUPTED, words, job, layer, started)
        put_sdk(found.folder)
        return run_program(program_in(found.folder, job), job, layer, on_progress)

    def _environment(self, lock: Lock, say: Say) -> Environment:
        settings = load_settings()
        cache = self.cache or settings.environments
        return environment(lock, cache, wheels=settings.wheels, beside=settings.own_wheels, say=say)


def lock_of(job: Job) -> Lock:
    """The lock file that the manifest names."""
    named = job.manifest.run.requirements
    if named is None:
        raise HarnessError(
            "the runtime venv needs a lock file",
            where=job.manifest.name,
            got="no requirements under [run]",
            expected='requirements = "requirements.lock" in submission.toml',
            mend=MEND,
        )
    return read_lock(job.folder / named)


def program_in(folder: Path, job: Job) -> Program:
    """What is started in an environment, and the places that it needs."""
    run = job.manifest.run
    sdk = sdk_folder(folder)
    own = [] if sdk is None else [sdk]
    exposed = (folder, folder.resolve(), *own, *(path.resolve() for path in own), *interpreter_folders())
    search = (str(folder / "bin"),)
    paths = ":".join(dict.fromkeys(map(str, [*own, *(package_source(name).parent for name in run.packages)])))
    if run.module is not None:
        python = str(folder / "bin" / "python")
        return Program((python, "-m", "harness.sdk", run.module), search, exposed, paths)
    if run.command is not None:
        return Program(tuple(run.command), search, exposed, paths)
    raise HarnessError(
        "this submission is a container image",
        where=job.manifest.name,
        got="runtime venv",
        mend="choose a container runtime with --runtime",
    )


def _ended_before(status: RunStatus, words: str, job: Job, layer: Layer, started: float) -> Outcome:
    """A run that ended before the submission was started."""
    job.output.mkdir(parents=True, exist_ok=True)
    job.log.write_text(words + "\n", encoding="utf-8")
    return Outcome(
        status=status,
        exit_code=None,
        signal=None,
        wall_s=time.monotonic() - started,
        peak_rss_bytes=0,
        isolation=layer.isolation,
        detail=" ".join(words.split()),
    )


RUNTIME = VenvRuntime()
