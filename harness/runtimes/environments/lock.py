"""A submission's lock file: every package at one version, so that the file's content names the environment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.digest import Digest, file_hash
from harness.errors import HarnessError
from harness.runtimes.environments.remarks import Remarks, normalised, read_remarks

OPTIONS = (
    "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--no-index", "--require-hashes", "--only-binary",
)  # fmt: skip
FIND_LINKS = ("--find-links", "-f")
PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*===?\s*(?P<version>[0-9A-Za-z.!+_-]+)"
)
DIRECT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*@\s*\S+#sha256=[0-9a-f]{64}")
MEND = (
    "write one with: uv pip compile requirements.in -o requirements.lock (or: pip freeze > requirements.lock)"
)


@dataclass(frozen=True)
class Lock:
    """A lock file that was read and found to be one."""

    path: Path
    packages: dict[str, str]
    """Normalised name → version, or the address that is pinned by its hash."""
    wheels: tuple[Path, ...]
    """Local folders of wheels that the file itself names with `--find-links`."""
    remarks: Remarks = field(default_factory=Remarks)

    def digest(self, *more: Path) -> Digest:
        """Everything of the file, and of the local wheels that it can take, that decides what is installed."""
        digest = Digest("environment").field("lock", self.path.read_bytes())
        found = sorted(
            (wheel.name, file_hash(wheel)) for folder in (*self.wheels, *more) for wheel in self.local(folder)
        )
        return digest.strings("wheels", (f"{name} {content}" for name, content in dict.fromkeys(found)))

    def local(self, folder: Path) -> list[Path]:
        """The wheels of a folder that this lock asks for."""
        return [wheel for wheel in folder.glob("*.whl") if self._asks_for(wheel)]

    def _asks_for(self, wheel: Path) -> bool:
        name, version = [*wheel.name.split("-"), ""][:2]
        return self.packages.get(normalised(name)) in (version, version.replace("_", "-"))


def read_lock(path: Path) -> Lock:
    """Read a lock file in pip's format; a line that leaves a choice is refused."""
    if not path.is_file():
        raise HarnessError("the lock file of the submission is missing", where=path, mend=MEND)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HarnessError("the lock file is not text", where=path, got=error, mend=MEND) from None
    packages: dict[str, str] = {}
    wheels: list[Path] = []
    for number, line in logical_lines(text):
        if line.startswith("-"):
            option, value = _option(line, f"{path}:{number}")
            if option in FIND_LINKS and "://" not in value:
                wheels.append(path.parent / value)
            continue
        name, version = _pinned(line, f"{path}:{number}")
        if packages.setdefault(name, version) != version:
            raise HarnessError(
                f"package {name!r} is locked twice", where=f"{path}:{number}", got=line, mend=MEND
            )
    return Lock(path, packages, tuple(wheels), read_remarks(text, path, packages))


def logical_lines(text: str) -> list[tuple[int, str]]:
    """(number, line) without comments and empty lines; a backslash joins a line with the next."""
    found, pending, start = [], "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1].strip() + " "
            continue
        whole, pending = (pending + line).strip(), ""
        if whole:
            found.append((start, whole))
    if pending.strip():
        found.append((start, pending.strip()))
    return found


def _option(line: str, where: str) -> tuple[str, str]:
    option, _, value = line.replace("=", " ", 1).partition(" ")
    if option not in OPTIONS:
        raise HarnessError(
            "a lock file cannot hold this option",
            where=where,
            got=line,
            expected=", ".join(OPTIONS),
            mend=MEND,
        )
    return option, value.strip()


def _pinned(line: str, where: str) -> tuple[str, str]:
    requirement = re.sub(r"\s--hash[= ].*$", "", line).partition(";")[0].strip()
    exact = PINNED.fullmatch(requirement)
    if exact:
        return normalised(exact["name"]), exact["version"]
    direct = DIRECT.fullmatch(requirement)
    if direct:
        return normalised(direct["name"]), requirement.partition("@")[2].strip()
    raise HarnessError(
        "the lock file leaves a choice",
        where=where,
        got=line,
        expected="name==version, or name @ address#sha256=…",
        mend=MEND,
    )
