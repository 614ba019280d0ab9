"""Where a number was made: packages, code revision, machine, command."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import psutil

import harness
from harness.contract.models import Record


class Provenance(Record):
    """What is needed to make a run again."""

    command: str
    """The command, quoted for a shell; paths below the working folder are said from there, whosever folder that is."""
    harness_version: str
    python: str
    platform: str
    packages: dict[str, str]
    """Every installed package and its version."""
    git_revision: str | None
    """Revision of the checkout that the harness stands in; none where it stands in no checkout."""
    git_dirty: bool | None
    """Whether tracked files differed from that revision."""
    cpu: str
    n_cpus: int
    memory_bytes: int


def collect_provenance() -> Provenance:
    """What can be known here and now."""
    revision, dirty = git_state(Path(harness.__file__).parent)
    return Provenance(
        command=command_said(sys.argv, Path.cwd()),
        harness_version=harness.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=installed_packages(),
        git_revision=revision,
        git_dirty=dirty,
        cpu=cpu_name(),
        n_cpus=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
    )


def command_said(words: Sequence[str], folder: Path) -> str:
    """A command as it would be typed in a folder: `harness`, however it was started, and paths from there."""
    program = Path(words[0]).name
    said = ["harness" if program == "main.py" else program]
    for word in words[1:]:
        option, equals, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
        inside = Path(value).is_absolute() and Path(value).is_relative_to(folder)
        said.append(option + equals + (str(Path(value).relative_to(folder)) if inside else value))
    return shlex.join(said)


@cache
def installed_packages() -> dict[str, str]:
    """Name and version of every installed distribution; read once, since a process keeps what it was started with."""
    told = [dist.metadata for dist in distributions()]  # each is parsed anew whenever it is asked for
    found = {metadata["Name"]: metadata["Version"] for metadata in told if metadata["Name"]}
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Revision and dirtiness of the checkout around a folder; (None, None) where there is none."""
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None, None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return revision, None if changes is None else bool(changes)


def cpu_name() -> str:
    """The processor's own name, where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git(folder: Path, *words: str) -> str | None:
    try:
        told = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() if told.returncode == 0 else None
