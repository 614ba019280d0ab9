"""Building the image of a submission, or a base image, from a Containerfile or a definition file."""

from __future__ import annotations

import io
import re
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from harness.contract.content import recipe_path, submission_files, submission_hash
from harness.contract.manifest import load_manifest
from harness.errors import HarnessError
from harness.runtimes.containers.engine import Engine, find_engine
from harness.runtimes.containers.images import (
    BASE,
    CONTENT,
    PROJECT,
    ROLE,
    SUBMISSION_ROLE,
    Image,
    base_image,
    built_name,
    find_image,
    missing_image,
    project_label,
)
from harness.runtimes.containers.sif import (
    Sif,
    find_sif,
    sif_from_definition,
    sif_from_engines,
    sif_from_image,
)

EngineName = Literal["docker", "podman", "apptainer"]
DEFINITION = ".def"
RECIPE_INSIDE = ".harness.Containerfile"
BUILD_SECONDS = 3600
LAST_LINES = 5
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is built, from what, under which name."""

    name: str
    recipe: Path | None
    """None for an image that is only to be there: by digest, or the base image."""
    context: Path
    content: str
    role: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    online: bool = False
    """Whether the steps of the build may use the network."""


@dataclass(frozen=True)
class Built:
    """An image that is there now."""

    name: str
    engine: str
    digest: str
    path: Path | None = None


def plan_submission(
    folder: Path, arguments: Mapping[str, str], *, online: bool = False, trusted: bool = False
) -> Plan:
    """The image of a submission; one that brings none runs in the base image.

    A definition file of Apptainer is built only where somebody trusts it: its steps are no prisoners of the build.
    """
    manifest = load_manifest(folder)
    run = manifest.run
    content = submission_hash(folder, manifest)
    if run.build is None:
        return Plan(run.image or base_image(), None, folder, content, SUBMISSION_ROLE)
    recipe = recipe_path(folder, run.build)
    if recipe.name.endswith(DEFINITION) and not trusted:
        raise HarnessError(
            "a submission's definition file is not built unless you trust it",
            where=recipe,
            got="a file that can run commands on this machine (%setup), copy any of its files, truth included, into the "
            "image (%files), and see its network and /tmp (%post)",
            mend="read it, then add --trust; or name a Containerfile, which is built without any of this",
        )
    told = _arguments(recipe, arguments)
    return Plan(built_name(manifest.name, content), recipe, folder, content, SUBMISSION_ROLE, told, online)


def plan_recipe(
    recipe: Path, name: str | None, arguments: Mapping[str, str], *, online: bool = False
) -> Plan:
    """An image of a file by itself; `base.Containerfile` gives `perturbfm-base`."""
    stem = recipe.name.removesuffix(DEFINITION).removesuffix(".Containerfile").lower()
    told = _arguments(recipe, arguments, base_of_itself=True)
    default = base_image() if stem == "base" else f"{BASE.rpartition('-')[0]}-{stem}"
    return Plan(name or default, recipe, recipe.parent, "", stem, told, online)


def build(plan: Plan, engine: EngineName, on_line: OnLine | None = None) -> Built:
    """Build what is planned, or find it."""
    if engine == "apptainer":
        return _build_sif(plan, on_line)
    found = find_engine(engine)
    if plan.recipe is None:
        image = find_image(found, plan.name)
        if image is None:
            manifest = load_manifest(plan.context)
            raise missing_image(plan.name, manifest, plan.context, engine)
    else:
        image = _build_image(found, plan, on_line)
    return Built(plan.name, engine, image.digest)


def _build_sif(plan: Plan, on_line: OnLine | None) -> Built:
    sif: Sif | None
    if plan.recipe is None:
        sif = find_sif(plan.name) or sif_from_engines(plan.name, on_line)
        if sif is None:
            raise missing_image(plan.name, load_manifest(plan.context), plan.context, "apptainer")
    elif plan.recipe.name.endswith(DEFINITION):
        sif = sif_from_definition(
            plan.recipe, plan.name, plan.context, plan.content, dict(plan.arguments), on_line
        )
    else:
        engine = _any_engine()
        sif = sif_from_image(engine, _build_image(engine, plan, on_line), on_line)
    return Built(plan.name, "apptainer", sif.digest, sif.path)


def _any_engine() -> Engine:
    """A Containerfile is an engine's to build; Apptainer takes its image over."""
    try:
        return find_engine("docker")
    except HarnessError:
        return find_engine("podman")


def _build_image(engine: Engine, plan: Plan, on_line: OnLine | None) -> Image:
    assert plan.recipe is not None
    if plan.recipe.name.endswith(DEFINITION):
        raise HarnessError(
            "a definition file is Apptainer's",
            where=plan.recipe,
            got=f"engine {engine.runtime}",
            mend="--engine apptainer, or name a Containerfile",
        )
    labels = {ROLE: plan.role, CONTENT: plan.content, PROJECT: project_label()}
    with engine.client(seconds=BUILD_SECONDS) as client, _context(plan.context, plan.recipe) as context:
        told = client.build(
            fileobj=context,
            custom_context=True,
            dockerfile=RECIPE_INSIDE,
            tag=plan.name,
            labels=labels,
            buildargs=dict(plan.arguments),
            network_mode=None if plan.online else "none",
            pull=False,
            rm=True,
            forcerm=True,
            decode=True,
        )
        _follow(told, plan, on_line)
    image = find_image(engine, plan.name)
    if image is None:
        raise HarnessError("the engine built the image and does not find it", where=plan.name)
    return image


def _follow(told: object, plan: Plan, on_line: OnLine | None) -> None:
    """Pass on what the engine says, and raise what it calls an error."""
    last: list[str] = []
    for message in told:  # type: ignore[attr-defined]
        for line in str(message.get("stream") or "").splitlines():
            if line.strip():
                last = [*last, line.strip()][-LAST_LINES:]
                if on_line is not None:
                    on_line(line)
        if message.get("error"):
            offline = "" if plan.online else "; the build had no network, --online gives it one"
            raise HarnessError(
                "the image cannot be built",
                where=plan.recipe,
                got=" | ".join([*last, str(message["error"]).strip()])[-600:],
                mend=f"mend the step that failed{offline}",
            )


def _context(folder: Path, recipe: Path) -> IO[bytes]:
    """The files of a folder and the recipe, which may lie outside of it, as the archive that an engine builds from."""
    archive = tempfile.SpooledTemporaryFile(max_size=64 << 20)  # noqa: SIM115  closed by its user
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, path in submission_files(folder):
            tar.add(path, name, filter=_plain)
        content = recipe.read_bytes()
        entry = tarfile.TarInfo(RECIPE_INSIDE)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without owner and time, so that an engine finds the steps again that it has done."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def _arguments(recipe: Path, arguments: Mapping[str, str], *, base_of_itself: bool = False) -> dict[str, str]:
    """The arguments that are passed on; a recipe that asks for BASE gets the base image, unless it makes it."""
    declared = set(re.findall(r"^\s*ARG\s+([A-Za-z_]\w*)", recipe.read_text(encoding="utf-8"), re.MULTILINE))
    if recipe.name.endswith(DEFINITION):
        declared = set(re.findall(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", recipe.read_text(encoding="utf-8")))
    unknown = sorted(set(arguments) - declared)
    if unknown:
        raise HarnessError(
            f"this file knows no argument {unknown[0]!r}",
            where=recipe,
            expected=", ".join(sorted(declared)) or "no arguments",
        )
    usual = {"BASE": base_image()} if "BASE" in declared and not base_of_itself else {}
    return usual | dict(arguments)
