"""Filling an environment from a lock: uv where it is present, else pip; wheels only, so that no code runs while building."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError

SECONDS = 3600
LAST_LINES = 12


@dataclass(frozen=True)
class Installer:
    """A program that installs packages into an environment from outside."""

    name: str
    argv: tuple[str, ...]
    wheels_only: tuple[str, ...]

    def install(self, python: Path, lock: Path, wheels: Path | None, beside: Path | None) -> list[str]:
        """The command that installs exactly what the lock says."""
        offline = [] if wheels is None else ["--no-index", "--find-links", str(wheels)]
        offline += [] if beside is None else ["--find-links", str(beside)]
        head = self._head("install", python)
        return [*head, "--no-deps", *self.wheels_only, *offline, "--requirement", str(lock)]

    def check(self, python: Path) -> list[str]:
        """The command that fails where a package of the lock needs one that is not in it."""
        return self._head("check", python)

    def _head(self, verb: str, python: Path) -> list[str]:
        if self.name == "uv":
            return [*self.argv, verb, "--python", str(python)]
        return [*self.argv, "--python", str(python), verb]


def installers() -> list[Installer]:
    """Those that are here, the preferred one first."""
    found = []
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv") or shutil.which("uv", path=beside)
    if uv:
        # copies: a file that is one with uv's own cache could be changed from an environment
        options = ("--no-build", "--link-mode", "copy", "--compile-bytecode")
        found.append(Installer("uv", (uv, "pip"), options))
    if importlib.util.find_spec("pip"):
        argv = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
        found.append(Installer("pip", argv, ("--only-binary", ":all:")))
    if not found:
        raise HarnessError(
            "no installer of Python packages is here",
            got="neither uv nor pip",
            mend=f"{sys.executable} -m ensurepip, or install uv",
        )
    return found


def fill(
    installer: Installer,
    python: Path,
    lock: Path,
    wheels: Path | None,
    *,
    beside: Path | None = None,
    held: Sequence[int],
) -> str:
    """Install and check; nothing where it went well, else what the installer said.

    The descriptors `held` stay open in the installer: a lock among them is free only when the installer has ended too,
    even where the harness was killed.
    """
    for argv in (installer.install(python, lock, wheels, beside), installer.check(python)):
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=lock.parent,
                env={key: value for key, value in os.environ.items() if key not in LEAD_ASTRAY},
                text=True,
                errors="replace",
                timeout=SECONDS,
                pass_fds=tuple(held),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{installer.name}: still at it after {SECONDS} s"
        except OSError as error:
            return f"{installer.name}: {error.strerror}"
        if done.returncode:
            return f"{installer.name}: {_telling(done.stdout)}"
    return ""


LEAD_ASTRAY = (
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PIP_TARGET",
    "PIP_USER",
    "PIP_PREFIX",
)
"""Variables that would make an installer write to another place, or see packages that are not of the environment."""


def _telling(words: str) -> str:
    """The last lines, without warnings about the configuration of the machine."""
    lines = [line.rstrip() for line in words.splitlines() if line.strip() and not line.startswith("WARNING:")]
    return "\n".join(lines[-LAST_LINES:]) or "no message"
