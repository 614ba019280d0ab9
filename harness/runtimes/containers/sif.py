"""Images of Apptainer: files in one folder, made once per content from a definition or from an engine's image."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.digest import Digest, file_hash
from harness.errors import HarnessError
from harness.runtimes.containers.engine import KINDS, Engine, NoEngineError, find_engine
from harness.runtimes.containers.images import Image, find_image
from harness.settings import load_settings
from harness.storage import make_folder, read_json, write_json

FOLDER = ".images"
KEY_LENGTH = 24
FAST = ("--mksquashfs-args", "-comp zstd -Xcompression-level 3")
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Sif:
    """An image file and how it is started."""

    name: str
    path: Path
    digest: str
    argv: tuple[str, ...] | None
    """The image's own command, from a Docker image; none where it has a run script instead."""
    workdir: str | None
    built: str


def sif_folder() -> Path:
    """Where the image files of a project lie."""
    return load_settings().data / FOLDER


def all_sifs() -> list[Sif]:
    """Every image file, newest first."""
    found = []
    for card in sif_folder().glob("*.json"):
        told = read_json(card, "image card")
        path = card.with_suffix(".sif")
        if path.is_file():
            argv = told["argv"]
            found.append(
                Sif(
                    told["name"],
                    path,
                    told["digest"],
                    None if argv is None else tuple(argv),
                    told["workdir"],
                    told["built"],
                )
            )
    return sorted(found, key=lambda sif: sif.built, reverse=True)


def find_sif(name: str) -> Sif | None:
    """The image file of a name or digest; a path to a file stands for itself."""
    if name.endswith(".sif"):
        path = Path(name).expanduser().absolute()
        return Sif(name, path, "", (), None, "") if path.is_file() else None
    digest = name.rpartition("@")[2]
    return next((one for one in all_sifs() if one.name == name or one.digest == digest), None)


def sif_from_engines(name: str, on_line: OnLine | None = None) -> Sif | None:
    """The image file of an image that an engine of this machine holds; None where none does."""
    for kind in KINDS:
        try:
            engine = find_engine(kind)
        except NoEngineError:
            continue
        image = find_image(engine, name)
        if image is not None:
            return sif_from_image(engine, image, on_line)
    return None


def sif_from_image(engine: Engine, image: Image, on_line: OnLine | None = None) -> Sif:
    """Convert an engine's image; the same image is converted once."""

    def make(target: Path) -> None:
        archive = target.with_suffix(".tar")
        try:
            with engine.client(seconds=600) as client, archive.open("wb") as out:
                for block in client.get_image(image.digest):
                    out.write(block)
            # by its bare name: a colon in the path would begin a tag
            _build(target, f"docker-archive:{archive.name}", (), archive.parent, on_line)
        finally:
            archive.unlink(missing_ok=True)

    return _once(image.name, image.digest, image.entrypoint or image.command, image.workdir, make)


def sif_from_definition(
    definition: Path,
    name: str,
    context: Path,
    content: str,
    arguments: dict[str, str],
    on_line: OnLine | None,
) -> Sif:
    """Build a definition file in a folder; `content` is the hash of that folder."""
    digest = Digest("sif")
    digest.field("definition", file_hash(definition))
    digest.field("content", content)
    digest.strings("arguments", (f"{key}={value}" for key, value in sorted(arguments.items())))
    options = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]

    def make(target: Path) -> None:
        _build(target, str(definition.absolute()), options, context, on_line)

    return _once(name, digest.hexdigest(), None, None, make)


def apptainer_program() -> str:
    """The program, or a refusal."""
    found = shutil.which("apptainer") or shutil.which("singularity")
    if found is None:
        raise HarnessError(
            "Apptainer is not installed",
            got="neither `apptainer` nor `singularity` is on PATH",
            mend="install Apptainer from https://apptainer.org, or load its module on a cluster",
        )
    return found


def _once(
    name: str,
    digest: str,
    argv: tuple[str, ...] | None,
    workdir: str | None,
    make: Callable[[Path], None],
) -> Sif:
    """The file of a content under a name; several processes at once build it once."""
    folder = sif_folder()
    make_folder(folder)
    key = Digest("sif file").field("digest", digest).field("name", name).hexdigest()[:KEY_LENGTH]
    with _lock(folder / f"{key}.lock"):
        path, card = folder / f"{key}.sif", folder / f"{key}.json"
        if not (path.is_file() and card.is_file()):
            partial = folder / f".{key}-{os.getpid()}.sif"
            try:
                make(partial)
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)
        built = datetime.now(UTC).isoformat(timespec="microseconds")
        told = {"name": name, "digest": digest, "argv": argv, "workdir": workdir, "built": built}
        write_json(card, told)
    return Sif(name, path, digest, argv, workdir, built)


def _build(target: Path, source: str, options: Sequence[str], context: Path, on_line: OnLine | None) -> None:
    """`apptainer build`; a root that lacks some capability needs a user namespace, an old squashfs knows no zstd."""
    program = apptainer_program()
    unshare = shutil.which("unshare")
    ways = [[program], *([[unshare, "-r", program]] if unshare else [])]
    said = ""
    for fast in (FAST, ()):
        for way in ways:
            argv = [*way, "build", "--force", *fast, *options, str(target), source]
            done = subprocess.run(
                argv, cwd=context, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            for line in (done.stdout + done.stderr).splitlines():
                if on_line is not None:
                    on_line(line)
            if done.returncode == 0:
                return
            said = said or "\n".join((done.stderr or done.stdout).splitlines()[-3:])
    raise HarnessError(
        "the image file cannot be built",
        where=source,
        got=said,
        mend="see the lines above; apptainer build says more",
    )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
