"""What a run can see: a list of read-only places, each with a reason, and neutral names for its own folders."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import harness
from harness.contract.content import package_source
from harness.runtimes.protocol import Job
from harness.settings import load_settings

TASK = "/task"
OUTPUT = "/output"
SUBMISSION = "/submission"
TEMPORARY = "/tmp"  # noqa: S108 (a private one)
HOME = "/tmp/home"  # noqa: S108
FIRST_PROGRAM = "/.first"
"""Where the first program of a sandbox lies, which gives away what rights are left and starts the submission."""
SDK_FILES = ("__init__.py", "sdk.py")
"""All that a submission sees of the harness."""
SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SYSTEM_FILES = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime", "/etc/timezone",
    "/etc/fonts", "/etc/R", "/etc/OpenCL", "/sys/devices/system/cpu", "/sys/devices/system/node",
)  # fmt: skip
"""The loader's, the clock's, and the shape of the processor; nothing with a name or an address in it."""
GPU_DEVICES = ("/dev/nvidia*", "/dev/nvidia-caps/*", "/dev/dri/renderD*", "/dev/kfd")
IDENTITY = {
    "passwd": "submission:x:{uid}:{uid}:submission:/tmp/home:/bin/sh\nroot:x:0:0:root:/nonexistent:/bin/false\n",
    "group": "submission:x:{uid}:\nroot:x:0:\n",
    "hosts": "127.0.0.1 localhost submission\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True)
class Program:
    """What is started, apart from its task and output folder."""

    words: tuple[str, ...]
    search_path: tuple[str, ...] = ()
    """Folders that come first in PATH."""
    exposed: tuple[Path, ...] = ()
    """Folders that it needs, read-only, under their own names: an interpreter, an environment."""
    python_path: str = ""
    """Where its Python finds modules that lie outside of its environment."""


@dataclass(frozen=True)
class Bind:
    """A place of this machine that exists inside, read-only."""

    source: Path
    inside: str


@dataclass(frozen=True)
class View:
    """Everything that exists for one run."""

    read_only: tuple[Bind, ...]
    links: tuple[tuple[str, str], ...]
    """Symbolic links: (target, inside)."""
    covered: tuple[str, ...]
    """Folders in a visible place that are hidden by an empty one."""
    devices: tuple[str, ...]


def interpreter() -> str:
    """The interpreter below a virtual environment; the harness's small programs need no packages."""
    below = getattr(sys, "_base_executable", None) or sys.executable
    return below if os.access(below, os.X_OK) else sys.executable


def interpreter_folders() -> tuple[Path, ...]:
    """Where the interpreter lives, by each name that leads there."""
    found = (sys.base_prefix, os.path.realpath(sys.base_prefix), Path(interpreter()).resolve().parents[1])
    return tuple(Path(place) for place in found if os.path.exists(place))


def view_of(job: Job, program: Program) -> View:
    """The view of a job: system, interpreter, what the program needs, the SDK, its own folder and its task."""
    own = [Bind(job.folder.resolve(), SUBMISSION), Bind(job.task.resolve(), TASK)]
    shown = _outermost([Path("/usr"), *interpreter_folders(), *program.exposed, *_packages(job)])
    system = [Path(name) for name in SYSTEM_FILES if Path(name).exists()]
    system += [Path("/", name) for name in SYSTEM_LINKS if _is_real_folder(Path("/", name))]
    links = [
        (str(Path("/", name).readlink()), f"/{name}") for name in SYSTEM_LINKS if Path("/", name).is_symlink()
    ]
    package = Path(harness.__file__).parent
    sdk = [Bind(package / file, str(package / file)) for file in SDK_FILES]
    binds = [*(Bind(path, str(path)) for path in (*shown, *system)), *own]
    covered = hidden_in(binds, [*stores(job), package])
    return View((*binds, *sdk), tuple(links), covered, _devices(job))


def stores(job: Job) -> list[Path]:
    """The harness's own folders with data, truth, splits and runs, and whatever lies beside this job's task and output."""
    settings = load_settings()
    own = (settings.data, settings.runs, settings.splits, job.task.parent, job.output.parent)
    return [path.resolve() for path in own if path.is_dir()]


def hidden_in(binds: Iterable[Bind], places: Iterable[Path]) -> tuple[str, ...]:
    """The names inside of places that happen to lie in what is bound, and are to be covered there."""
    within = [(bind.inside, bind.source.resolve()) for bind in binds]
    found = [
        Path(inside) / place.relative_to(source)
        for inside, source in within
        for place in places
        if source in place.parents
    ]
    return tuple(str(one) for one in dict.fromkeys(found) if not any(other in one.parents for other in found))


def _packages(job: Job) -> list[Path]:
    """Folders of the packages that belong to the submission but lie elsewhere, found without importing them."""
    return [package_source(name) for name in job.manifest.run.packages]


def _outermost(paths: list[Path]) -> list[Path]:
    """Existing folders, each once, without those that lie in another."""
    kept: list[Path] = []
    for path in sorted(
        {path.absolute() for path in paths if os.path.exists(path)}, key=lambda p: len(p.parts)
    ):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _devices(job: Job) -> tuple[str, ...]:
    if not job.manifest.resources.gpus:
        return ()
    return tuple(path for pattern in GPU_DEVICES for path in sorted(glob.glob(pattern)))


def library_folders() -> tuple[Path, ...]:
    """Folders that the caller's loader was told of, outside of the system's."""
    told = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return tuple(Path(place) for place in told if place.startswith("/") and Path(place).is_dir())
