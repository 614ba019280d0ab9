"""The runtime of a Docker-like engine."""

from __future__ import annotations

import re
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from harness.contract.status import RunStatus
from harness.errors import HarnessError
from harness.runtimes.containers import layout
from harness.runtimes.containers.container import Ended, run_container
from harness.runtimes.containers.engine import Engine, Kind, engine_trouble, explain, find_engine
from harness.runtimes.containers.images import Image, base_image, find_image, job_image
from harness.runtimes.containers.leftovers import remove_leftovers
from harness.runtimes.containers.options import Spec
from harness.runtimes.containers.probe import gpus_inside, try_base_image
from harness.runtimes.containers.seccomp import profile
from harness.runtimes.containers.watch import ContainerWatch
from harness.runtimes.ending import read_ending
from harness.runtimes.protocol import Guarantee, IsolationLevel, Job, Offer, OnProgress, Outcome
from harness.storage import scratch_folder

NOT_STARTED = (1, 127)
INIT_SAID = re.compile(
    rb"^(\[FATAL tini \(\d+\)\] exec .* failed|.*catatonit.*failed to exec pid1): (?P<why>.*)$", re.MULTILINE
)
"""What the init of Docker and that of Podman say of a program that is not there; the engine itself saw it start."""
FIRST_WORDS = 4096


@dataclass(frozen=True)
class EngineRuntime:
    """Runs a submission in a container of Docker or Podman."""

    name: Kind
    isolation: IsolationLevel = field(default="container")

    def offer(self) -> Offer:
        """What the engine gives, after a line was really run in the base image."""
        try:
            engine = find_engine(self.name)
            trouble = _trouble(engine, base_image())
        except HarnessError as error:
            reason = f"{error.what}: {error.got}" if error.got else error.what
            return Offer(False, "container", reason=reason, mend=error.mend or "")
        granted = guarantees(engine)
        missing = not_given(granted)
        return Offer(
            works=trouble is None or trouble[2],
            isolation="container",
            version=engine.by,
            granted=granted,
            missing=missing,
            reason=trouble[0] if trouble else "",
            mend=trouble[1] if trouble else "",
        )

    def argv(self, job: Job) -> list[str]:
        """The command inside the container."""
        return layout.argv(job)

    def run(self, job: Job, on_progress: OnProgress | None = None) -> Outcome:
        """Run the job to its end."""
        started = time.monotonic()
        try:
            return self._run(job, on_progress)
        except HarnessError as error:
            refused = f"{error.what}: {error.got}" if error.got else error.what
            return _no_run(job, f"{refused} (mend: {error.mend})", time.monotonic() - started)
        except engine_trouble() as error:
            return _no_run(
                job, f"the {self.name} engine failed: {explain(error)}", time.monotonic() - started
            )

    def _run(self, job: Job, on_progress: OnProgress | None) -> Outcome:
        engine = find_engine(self.name)
        _clear_once(engine)
        image = job_image(engine, job)
        wanted = job.manifest.resources.gpus
        if wanted:
            gpus_inside(engine, wanted)
        watch = ContainerWatch(job.output, job.limits)
        with scratch_folder(job.output) as scratch, layout.handed_over(job.output):
            spec = container_spec(engine, image, layout.readable_inside(job, scratch), scratch)
            with filter_for(engine) as seccomp:
                ended = run_container(engine, replace(spec, seccomp=seccomp), job, watch, on_progress)
        granted = guarantees(engine)
        program = next(iter([*(spec.entrypoint or ()), *spec.argv]), "")
        return outcome(ended, watch, granted, program)


@contextmanager
def filter_for(engine: Engine) -> Iterator[str | None]:
    """The filter of system calls, as the engine takes it; Podman on another machine keeps its own."""
    if engine.kind == "docker":
        yield profile(hide_clone3=True)
    elif engine.socket is None:
        yield None
    else:
        with tempfile.NamedTemporaryFile("w", prefix="harness-seccomp-", suffix=".json") as file:
            file.write(profile(hide_clone3=True))
            file.flush()
            yield file.name


def container_spec(engine: Engine, image: Image, job: Job, scratch: Path) -> Spec:
    """What of a job goes into its container."""
    own = layout.brings_its_image(job)
    binds = layout.binds(job, scratch)
    if engine.kind == "podman" and any("," in str(bind.source) for bind in binds):
        raise HarnessError(
            "Podman takes no path with a comma",
            where=job.output,
            got="a comma in the path of the project or of the submission",
            mend="rename the folder, or choose another runtime",
        )
    return Spec(
        image=image.digest,
        argv=layout.argv(job),
        environment=layout.environment(job),
        binds=binds,
        volumes=image.volumes,
        limits=job.limits,
        workdir=image.workdir if own else layout.SUBMISSION,
        # an image without an entry point is started by its command, which plain arguments would replace
        entrypoint=image.entrypoint or image.command if own else [],
        gpus=job.manifest.resources.gpus,
        user=(0, 0) if engine.rootless else layout.user_inside(),
    )


def guarantees(engine: Engine) -> dict[Guarantee, str]:
    """What a run in this engine is held to, and by what."""
    by = engine.by
    granted = {
        Guarantee.OFFLINE: f"network none, {by}",
        Guarantee.READ_ONLY_INPUT: f"read-only mounts, {by}",
        Guarantee.HIDDEN_HOST: f"container, {by}",
        Guarantee.WALL: "watched by the harness",
        Guarantee.OUTPUT: "watched by the harness",
    }
    if layout.drops_user() and not engine.rootless:  # whose root is the user that it belongs to
        granted[Guarantee.UID_DROP] = f"user {layout.user_inside()[0]}"
    return granted | dict.fromkeys(engine.enforces, f"cgroup, {by}")


def outcome(ended: Ended, watch: ContainerWatch, granted: Mapping[Guarantee, str], program: str) -> Outcome:
    """The end of a container in the words of the contract."""
    told = dict(ended.told)
    if told.get("code") == -signal.SIGKILL and ended.breach is None and watch.kernel_killed_for_memory():
        told["oom_kills"] = 1
    if told.get("code") in NOT_STARTED and (said := INIT_SAID.search(ended.log[:FIRST_WORDS])):
        told = {"cannot_start": f"{program}: {said['why'].decode(errors='replace').strip()}"}
    ending = read_ending(told, ended.breach, ended.log, watch)  # type: ignore[arg-type]
    return Outcome(
        status=ending.status,
        exit_code=ending.exit_code,
        signal=ending.signal,
        wall_s=ended.seconds,
        peak_rss_bytes=watch.peak_rss_bytes,
        isolation="container",
        detail=ending.detail,
        granted=granted,
        missing=not_given(granted),
    )


def not_given(granted: Mapping[Guarantee, str]) -> dict[Guarantee, str]:
    """The guarantees that are not among those given."""
    return {one: "the engine does not enforce it" for one in Guarantee if one not in granted}


def _no_run(job: Job, detail: str, seconds: float) -> Outcome:
    """Nothing was started, or the engine lost it: not the submission's fault."""
    if not job.log.exists():
        job.log.write_bytes(b"")
    return Outcome(RunStatus.ENVIRONMENT, None, None, seconds, 0, "container", detail)


@lru_cache(maxsize=16)
def _clear_once(engine: Engine) -> None:
    """Once per process and engine: what a harness left that was killed together with its guards."""
    remove_leftovers(engine)


@lru_cache(maxsize=16)
def _trouble(engine: Engine, base: str) -> tuple[str, str, bool] | None:
    """What keeps the base image from running: reason, mend, and whether other images run all the same."""
    if find_image(engine, base) is None:
        return (
            f"the base image {base} is not there: only submissions with an image of their own can run",
            f"harness image build containers/base.Containerfile --engine {engine.runtime}",
            True,
        )
    reason = try_base_image(engine, base)
    return None if reason is None else (*reason, False)
