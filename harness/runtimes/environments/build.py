"""An environment of a lock file: looked up by content, built once by whoever comes first, never used half-built."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import stat
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import harness
from harness.digest import file_hash
from harness.errors import HarnessError
from harness.runtimes.environments.installers import fill, installers
from harness.runtimes.environments.lock import Lock
from harness.runtimes.environments.wheels import SOURCES
from harness.storage import make_folder, read_json, write_json

MARKER = "environment.json"
"""Written last: an environment without it was never finished."""
SDK = Path(harness.__file__).parent / "sdk.py"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """A finished environment; nothing writes to it any more."""

    folder: Path
    packages: tuple[str, ...]
    """`name==version` of everything in it."""
    installer: str
    built: bool
    """Whether this call built it."""

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"


class UnbuildableError(HarnessError):
    """An environment that cannot be built."""


def environment(
    lock: Lock,
    cache: Path,
    *,
    wheels: Path | None = None,
    beside: Path | None = None,
    say: Say = lambda _: None,
) -> Environment:
    """The environment of a lock, from the cache or built now.

    `wheels` is a folder that replaces the package index, `beside` one that stands beside it where it is there.
    """
    beside = beside if beside is not None and beside.is_dir() else None
    folder = environment_folder(lock, cache, wheels, beside)
    found = _finished(folder)
    if found:
        return found
    make_folder(folder.parent)
    with _alone(folder.with_suffix(".lock"), say) as held:
        found = _finished(folder)
        if found:
            return found
        try:
            return _build(lock, folder, (wheels, beside), held, say)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def environment_folder(
    lock: Lock, cache: Path, wheels: Path | None = None, beside: Path | None = None
) -> Path:
    """Where the environment of a lock stands or will stand: its name is the hash of all that decides its content."""
    digest = lock.digest(*(folder for folder in (wheels, beside) if folder)).json("python", interpreter())
    return cache.absolute() / digest.hexdigest()[:16]


def sdk_folder(folder: Path) -> Path | None:
    """The submission's side of the contract for the Python path, beside an environment; None where that has a harness.

    It is no part of an environment: gigabytes of packages outlive a change of one file.
    """
    if any((site / "harness").exists() for site in sites(folder)):
        return None
    return folder.parent / f"sdk-{file_hash(SDK)[:16]}"


def put_sdk(folder: Path) -> None:
    """Make the folder of `sdk_folder` where it is not there yet."""
    place = sdk_folder(folder)
    if place is None or place.is_dir():
        return
    made = Path(tempfile.mkdtemp(prefix=".sdk-", dir=folder.parent))
    (made / "harness").mkdir()
    shutil.copyfile(SDK, made / "harness" / SDK.name)
    _show_to_all(made)
    try:
        made.rename(place)
    except OSError:  # another process was first
        shutil.rmtree(made)


def interpreter() -> list[str]:
    """What of the interpreter an environment is bound to."""
    base = str(getattr(sys, "_base_executable", sys.executable))
    return [
        sys.implementation.name,
        platform.python_version(),
        sysconfig.get_platform(),
        os.path.realpath(base),
    ]


def _finished(folder: Path) -> Environment | None:
    marker = folder / MARKER
    if not marker.is_file() or not (folder / "bin" / "python").exists():
        return None
    told = read_json(marker, "environment")
    return Environment(folder, tuple(told["packages"]), told["installer"], built=False)


def _build(
    lock: Lock, folder: Path, local: tuple[Path | None, Path | None], held: int, say: Say
) -> Environment:
    wheels, beside = local
    started = time.monotonic()
    for notice in lock.remarks.notices:
        print(f"notice: {notice}", file=sys.stderr, flush=True)  # a progress bar would not keep it
    refused = []
    for installer in installers():
        say(
            f"building the environment of {lock.path.name} with {installer.name}: {len(lock.packages)} packages"
        )
        shutil.rmtree(folder, ignore_errors=True)
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
        words = fill(installer, folder / "bin" / "python", lock, wheels, beside=beside, held=[held])
        if words:
            refused.append(words)
            continue
        _show_to_all(folder)
        packages = installed(folder)
        told = {
            "schema": 1,
            "built_for": lock.path.parent.name,
            "packages": packages,
            "notices": list(lock.remarks.notices),
            "installer": installer.name,
            "python": interpreter(),
            "seconds": round(time.monotonic() - started, 1),
        }
        write_json(folder / MARKER, told)
        return Environment(folder, tuple(packages), installer.name, built=True)
    raise UnbuildableError(
        "the environment of the submission cannot be built",
        where=lock.path,
        got="\n".join(refused),
        expected="a wheel of every package in the lock, from the index, --find-links or the setting `wheels`",
        mend=_mend(lock),
    )


def _mend(lock: Lock) -> str:
    mend = "correct the lock file, or make the package index (or a folder of wheels) reachable"
    if (lock.path.parent / SOURCES).is_file():
        mend = f"harness environment wheels {lock.path.parent}, for packages that come without a wheel; else {mend}"
    return mend


def _show_to_all(folder: Path) -> None:
    """Let everybody read it, whatever the umask says: a run may be a user of its own."""
    for root, _, files in os.walk(folder):
        for name in [".", *files]:
            path = os.path.join(root, name)
            told = os.stat(path)
            wanted = told.st_mode | (0o555 if name == "." or told.st_mode & 0o100 else 0o444)
            if told.st_mode != wanted and not os.path.islink(path):
                os.chmod(path, stat.S_IMODE(wanted))


def sites(folder: Path) -> list[Path]:
    """Where an environment's packages lie."""
    return sorted(folder.glob("lib/python*/site-packages"))


def installed(folder: Path) -> list[str]:
    """`name==version` of the packages in an environment."""
    places = [str(site) for site in sites(folder)]
    return sorted(f"{each.metadata['Name']}=={each.version}" for each in distributions(path=places))


@contextmanager
def _alone(path: Path, say: Say) -> Iterator[int]:
    """Hold a lock file; the kernel frees it when the last process that holds it has ended, however it ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another process that builds the same environment")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)
