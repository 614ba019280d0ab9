"""What a lock file says that no installer understands, as comments: `# harness: notice …` and `# harness: regardless …`.

The file stays one that pip reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError, UnknownNameError

KINDS = ("notice", "regardless")
LINE = re.compile(r"#\s*harness:\s*(?P<kind>\S+)\s*(?P<told>.*)")
REGARDLESS = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s+(?P<python>3\.\d+)")


@dataclass(frozen=True)
class Remarks:
    """The remarks of one lock file."""

    notices: tuple[str, ...] = ()
    """What a person is told before the environment is built for the first time: a licence, say."""
    regardless: Mapping[str, str] = field(default_factory=dict)
    """Normalised name → a Python version that the package's metadata allow. Such a package is installed although its
    metadata ask for another Python or other packages than the lock holds: somebody tried it with those."""


def read_remarks(text: str, path: Path, packages: Mapping[str, str]) -> Remarks:
    """The remarks in a lock file that holds some packages."""
    notices: list[str] = []
    regardless: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = LINE.fullmatch(line.strip())
        if found is None:
            continue
        where = f"{path}:{number}"
        if found["kind"] == "notice":
            notices.append(found["told"].strip())
        elif found["kind"] == "regardless":
            name, python = _regardless(found["told"], where)
            if name not in packages:
                raise UnknownNameError("package", name, packages, where=where)
            regardless[name] = python
        else:
            raise UnknownNameError("remark", found["kind"], KINDS, where=where)
    return Remarks(tuple(notices), regardless)


def normalised(name: str) -> str:
    """A package's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _regardless(told: str, where: str) -> tuple[str, str]:
    found = REGARDLESS.fullmatch(told.strip())
    if found is None:
        raise HarnessError(
            "this remark names no package and Python",
            where=where,
            got=told,
            expected="# harness: regardless NAME 3.N, where its metadata allow Python 3.N",
        )
    return normalised(found["name"]), found["python"]
