"""Filling an environment from a lock: uv where it is present, else pip; wheels only, so that no code runs while building."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.runtimes.environments.lock import FIND_LINKS, Lock, logical_lines
from harness.runtimes.environments.remarks import normalised

SECONDS = 3600
LAST_LINES = 12


@dataclass(frozen=True)
class Installer:
    """A program that installs packages into an environment from outside."""

    name: str
    argv: tuple[str, ...]
    wheels_only: tuple[str, ...]

    def install(
        self,
        python: Path,
        lock: Path,
        wheels: Path | None,
        beside: Path | None,
        *,
        regardless: str | None = None,
    ) -> list[str]:
        """The command that installs exactly what a file says; `regardless`: as if for that Python."""
        offline = [] if wheels is None else ["--no-index", "--find-links", str(wheels)]
        offline += [] if beside is None else ["--find-links", str(beside)]
        if regardless is not None:
            offline += ["--python-version", regardless] if self.name == "uv" else ["--ignore-requires-python"]
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
    lock: Lock,
    wheels: Path | None,
    *,
    beside: Path | None = None,
    held: Sequence[int],
) -> str:
    """Install and check; nothing where it went well, else what the installer said.

    The descriptors `held` stay open in the installer: a lock among them is free only when the installer has ended too,
    even where the harness was killed.
    """
    with tempfile.TemporaryDirectory(prefix="harness-lock-") as scratch:
        for file, regardless in _parts(lock, Path(scratch)):
            argv = installer.install(python, file, wheels, beside, regardless=regardless)
            code, words = _run(argv, lock.path.parent, held)
            if code:
                return f"{installer.name}: {_telling(words)}"
    code, words = _run(installer.check(python), lock.path.parent, held)
    left = _not_meant(words, lock) if code and lock.remarks.regardless else words
    return f"{installer.name}: {_telling(left)}" if code and left.strip() else ""


def _run(argv: list[str], folder: Path, held: Sequence[int]) -> tuple[int, str]:
    """How a command ended, and what it said."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={key: value for key, value in os.environ.items() if key not in LEAD_ASTRAY},
            text=True,
            errors="replace",
            timeout=SECONDS,
            pass_fds=tuple(held),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, f"still at it after {SECONDS} s"
    except OSError as error:
        return 1, str(error.strerror)
    return done.returncode, done.stdout


def _parts(lock: Lock, scratch: Path) -> list[tuple[Path, str | None]]:
    """The files to install one after the other: the lock, or what it holds without and with regard to metadata."""
    if not lock.remarks.regardless:
        return [(lock.path, None)]
    lines: dict[str | None, list[str]] = {None: []}
    options = [f"--find-links {folder.absolute()}" for folder in lock.wheels]
    for _, line in logical_lines(lock.path.read_text(encoding="utf-8")):
        if line.startswith("-"):
            options += [] if line.startswith(FIND_LINKS) and "://" not in line else [line]
            continue
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        lines.setdefault(lock.remarks.regardless.get(normalised(name)), []).append(line)
    parts: list[tuple[Path, str | None]] = []
    for number, (regardless, some) in enumerate(lines.items()):
        file = scratch / f"{number}-{lock.path.name}"
        file.write_text("\n".join([*options, *some, ""]), encoding="utf-8")
        parts.append((file, regardless))
    return parts


def _not_meant(words: str, lock: Lock) -> str:
    """What a check found, but for packages whose metadata the lock overrules; all of it where that is not to be told."""
    found = [(line, match) for line in words.splitlines() if (match := COMPLAINT.match(line))]
    regardless = lock.remarks.regardless
    kept = [line for line, match in found if normalised(match["uv"] or match["pip"]) not in regardless]
    return "\n".join(kept) if found else words


COMPLAINT = re.compile(
    r"(?:The package `(?P<uv>[^`]+)`|(?P<pip>[A-Za-z0-9._-]+) \S+) (?:requires|has requirement) "
)
"""How the installers begin a line about one package."""
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
