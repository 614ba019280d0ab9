"""Wheels of packages that come without one, made once by a person who trusts their source.

Making a wheel runs the package's own code, outside of any sandbox. Runs never do it: they install wheels only.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness.errors import HarnessError
from harness.runtimes.environments.lock import PINNED, logical_lines
from harness.runtimes.environments.remarks import normalised
from harness.storage import make_folder

SOURCES = "sources.txt"
"""In a submission folder: the packages of its lock that have no wheel, `name==version` or `name==version @ $VARIABLE`."""
LINE = re.compile(PINNED.pattern + r"(\s*@\s*\$(?P<variable>[A-Z][A-Z0-9_]*))?")
LAST_LINES = 12
SECONDS = 1800


def build_wheels(sources: Path, out: Path, say: Callable[[str], None] = lambda _: None) -> list[Path]:
    """The wheels of a `sources.txt`: those that are there already, and the others made now."""
    return [_wheel(line, f"{sources}:{number}", out, say) for number, line in logical_lines(_read(sources))]


def _read(sources: Path) -> str:
    if not sources.is_file():
        raise HarnessError(
            "this submission names no packages that would have to be built",
            where=sources,
            got="no such file",
            mend="nothing is to be done; its environment is built at the first run",
        )
    return sources.read_text(encoding="utf-8")


def _wheel(line: str, where: str, out: Path, say: Callable[[str], None]) -> Path:
    told = LINE.fullmatch(line)
    if told is None:
        raise HarnessError(
            "a line of the list of sources says something else",
            where=where,
            got=line,
            expected="name==version, or name==version @ $VARIABLE for a folder that the variable names",
        )
    found = _made(out, told["name"], told["version"])
    if found is not None:
        return found
    say(f"building {told['name']} {told['version']} from source")
    make_folder(out)
    with tempfile.TemporaryDirectory(dir=out, prefix=".making-") as room:
        _pip_wheel(_source(told, where), Path(room), where)
        for wheel in Path(room).glob("*.whl"):
            os.replace(wheel, out / wheel.name)
    found = _made(out, told["name"], told["version"])
    if found is None:
        raise HarnessError(
            "the source gives another package or version",
            where=where,
            got=", ".join(sorted(wheel.name for wheel in out.glob("*.whl"))),
            expected=f"{told['name']} {told['version']}",
        )
    return found


def _source(told: re.Match[str], where: str) -> str:
    variable = told["variable"]
    if variable is None:
        return f"{told['name']}=={told['version']}"
    folder = os.environ.get(variable, "")
    if not folder or not Path(folder).is_dir():
        raise HarnessError(
            f"the source of {told['name']} is yours to supply",
            where=where,
            got=f"{variable}={folder} is no folder" if folder else f"{variable} is not set",
            expected=f"{variable} names a folder with the source of {told['name']} {told['version']}",
            mend=f"fetch the source, then: {variable}=FOLDER harness environment wheels {Path(where).parent}",
        )
    return str(Path(folder).absolute())


def _pip_wheel(source: str, room: Path, where: str) -> None:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    argv += ["wheel", "--no-deps", "--wheel-dir", str(room), source]
    done = subprocess.run(
        argv, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
    )
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("WARNING:")]
        raise HarnessError(
            "a wheel cannot be made",
            where=where,
            got="\n".join(lines[-LAST_LINES:]),
            mend="make its source and the packages that build it reachable",
        )


def _made(out: Path, name: str, version: str) -> Path | None:
    for wheel in sorted(out.glob("*.whl")):
        told = wheel.name.split("-")
        if (normalised(told[0]), told[1]) == (normalised(name), version):
            return wheel
    return None
