"""What a run finds inside a container, whichever engine made it: fixed places, its command and its environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import harness.sdk
from harness.contract.content import package_source
from harness.runtimes.environment import THREAD_CAPS
from harness.runtimes.protocol import Job
from harness.runtimes.sandbox import view
from harness.runtimes.sandbox.readable import readable_job
from harness.runtimes.sandbox.view import hidden_in, stores
from harness.runtimes.written import give_to
from harness.storage import canonical_json

TASK = "/task"
OUTPUT = "/output"
SUBMISSION = "/submission"
LIBRARY = "/opt/harness"
"""On the Python path of module and command submissions: the SDK, and the packages that the manifest names."""
NOBODY = 65534
PYTHON = "python3"


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host that is seen inside."""

    source: Path
    target: str
    writable: bool = False


def brings_its_image(job: Job) -> bool:
    """Whether the submission is an image of its own; all others run in the base image."""
    return job.manifest.run.image is not None or job.manifest.run.build is not None


def binds(job: Job, scratch: Path) -> list[Bind]:
    """Everything of the host that exists inside: the task, the output, and for module and command what they run.

    The harness's own stores are hidden by an empty folder, made in `scratch`, where they lie in one of these.
    """
    seen = [Bind(job.task.absolute(), TASK), Bind(job.output.absolute(), OUTPUT, writable=True)]
    if brings_its_image(job):
        return seen
    seen.append(Bind(job.folder.absolute(), SUBMISSION))
    seen.append(Bind(Path(harness.sdk.__file__), f"{LIBRARY}/harness/sdk.py"))
    for package in job.manifest.run.packages:
        source = package_source(package)
        seen.append(Bind(source, f"{LIBRARY}/{source.name}"))
    empty = scratch / "empty"
    empty.mkdir(mode=0o755)
    covered = hidden_in(
        (view.Bind(bind.source, bind.target) for bind in seen if not bind.writable), stores(job)
    )
    return [*seen, *(Bind(empty, place) for place in covered)]


def readable_inside(job: Job, scratch: Path) -> Job:
    """The job with folders that the payload can read, who may be somebody else than the harness."""
    return readable_job(job, scratch) if drops_user() else job


def argv(job: Job) -> list[str]:
    """The command inside; for an image these are the words that follow its own command."""
    run = job.manifest.run
    folders = ["--task", TASK, "--output", OUTPUT]
    if run.module is not None:
        return [PYTHON, "-m", "harness.sdk", run.module, *folders]
    return [*(run.command or ()), *folders]


def environment(job: Job) -> dict[str, str]:
    """The variables inside, beside those of the image; nothing of the caller's own passes."""
    variables = {name: str(job.limits.cpus) for name in THREAD_CAPS}
    variables |= {
        "HOME": "/tmp",  # noqa: S108  the private one
        "TMPDIR": "/tmp",  # noqa: S108
        "XDG_CACHE_HOME": "/tmp/.cache",  # noqa: S108
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "HARNESS_TASK": TASK,
        "HARNESS_OUTPUT": OUTPUT,
        "HARNESS_SEED": str(job.seed),
        "HARNESS_PARAMS": canonical_json(dict(job.params)),
    }
    if not brings_its_image(job):
        variables["PYTHONPATH"] = LIBRARY
    if not job.manifest.resources.gpus:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    return variables


def user_inside() -> tuple[int, int]:
    """Who the payload is: nobody where the harness is root, else the user of the harness."""
    if os.geteuid() == 0:
        return NOBODY, NOBODY
    return os.geteuid(), os.getegid()


def drops_user() -> bool:
    """Whether the payload is somebody else than who started the harness."""
    return user_inside()[0] != os.geteuid()


@contextmanager
def handed_over(output: Path) -> Iterator[None]:
    """The output folder belongs to the payload while it runs, and to the harness again afterwards."""
    uid, gid = user_inside()
    output.mkdir(parents=True, exist_ok=True)
    if uid == os.geteuid():
        yield
        return
    os.chown(output, uid, gid)
    try:
        yield
    finally:
        give_to(output, os.geteuid(), os.getegid())
