"""Which image a submission runs in, and under which name an engine knows it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.contract.content import submission_hash
from harness.contract.manifest import Submission
from harness.digest import Digest
from harness.errors import HarnessError
from harness.runtimes.containers.engine import Engine
from harness.runtimes.protocol import Job
from harness.settings import load_settings

BASE = "perturbfm-base"
BASE_VARIABLE = "HARNESS_BASE_IMAGE"
ROLE = "org.perturbfm.role"
CONTENT = "org.perturbfm.content"
"""Label: the content hash of the submission that an image was built from."""
PROJECT = "org.perturbfm.project"
"""Label: the project that an image was built in; others share the engine."""
SUBMISSION_ROLE = "submission"
TAG_LENGTH = 16


@dataclass(frozen=True)
class Image:
    """An image that is there."""

    name: str
    digest: str
    """By this it is run: a name can be moved to another image."""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    workdir: str | None
    labels: Mapping[str, str]
    volumes: tuple[str, ...] = ()
    """Places for which an engine makes a writable folder on its own disk, unless something else is mounted there."""


def project_label() -> str:
    """The project of this process, by the place of its submissions on this machine."""
    place = f"{socket.gethostname()}:{load_settings().submissions.absolute()}"
    return Digest("project").field("place", place).hexdigest()[:TAG_LENGTH]


def base_image() -> str:
    """The image of module and command submissions: Python and numpy, or more."""
    return os.environ.get(BASE_VARIABLE) or BASE


def image_name(manifest: Submission, folder: Path) -> str:
    """The name under which a submission's image is looked for; a built one carries the content hash in its tag."""
    run = manifest.run
    if run.image is not None:
        return run.image
    if run.build is not None:
        return built_name(manifest.name, submission_hash(folder, manifest))
    return base_image()


def built_name(name: str, content: str) -> str:
    """The name of an image that was built from a submission of this content."""
    return f"perturbfm/{name}:{content[:TAG_LENGTH]}"


def find_image(engine: Engine, name: str) -> Image | None:
    """An image by name or digest; None where the engine does not hold it. Nothing is fetched."""
    import docker

    with engine.client() as client:
        for known in _spellings(name):
            try:
                told = client.inspect_image(known)
            except docker.errors.NotFound:
                continue
            config = told.get("Config") or {}
            return Image(
                name,
                told["Id"],
                tuple(config.get("Entrypoint") or ()),
                tuple(config.get("Cmd") or ()),
                config.get("WorkingDir") or None,
                config.get("Labels") or {},
                tuple(config.get("Volumes") or ()),
            )
    return None


def job_image(engine: Engine, job: Job) -> Image:
    """The image of a job, or a refusal that says how to get it."""
    name = image_name(job.manifest, job.folder)
    found = find_image(engine, name)
    if found is None:
        raise missing_image(name, job.manifest, job.folder, engine.runtime)
    if job.manifest.run.build is not None and not found.labels.get(CONTENT, "").startswith(
        name.rpartition(":")[2]
    ):
        raise HarnessError(
            "this image was not built by the harness from this submission",
            where=name,
            got=f"label {CONTENT} = {found.labels.get(CONTENT)!r}",
            mend=f"harness image build {job.folder} --engine {engine.runtime}",
        )
    return found


def missing_image(name: str, manifest: Submission, folder: Path, runtime: str) -> HarnessError:
    """What to say where an image is not there."""
    if manifest.run.build is not None:
        mend = f"harness image build {folder} --engine {runtime}"
    elif manifest.run.image is not None:
        mend = f"{'apptainer' if runtime == 'apptainer' else runtime} pull {name}"
    else:
        mend = (
            f"harness image build containers/base.Containerfile --engine {runtime}, or let {BASE_VARIABLE} "
            "name an image with Python and numpy"
        )
    return HarnessError(
        "the image is not on this machine", where=f"runtime {runtime}", got=f"no image {name}", mend=mend
    )


def _spellings(name: str) -> list[str]:
    """An image that was never in a registry has no digest but its own id."""
    digest = name.rpartition("@")[2]
    return [name, digest] if "@" in name else [name]
