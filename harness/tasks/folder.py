"""A built task on disk: the public folder, the sealed truth beside it, and the check that neither has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from harness.contract.models import Record
from harness.contract.task import TASK_FILE, TaskCard
from harness.digest import Digest, file_hash
from harness.errors import ChangedError, HarnessError
from harness.storage import read_json, write_json

PUBLIC = "task"
SEALED = "sealed"
SEAL_FILE = "seal.json"


@dataclass(frozen=True)
class Task:
    """A task folder without answers, and where its answers lie."""

    hash: str
    """Identity: the hash of everything that the task was built from."""
    public: Path
    sealed: Path
    card: TaskCard


class TaskSeal(Record):
    """`sealed/seal.json`: binds the public folder and its truth to each other."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    task_hash: str
    """Hash of everything that the task was built from; the name of its cache folder begins with it."""
    card_sha256: str
    """SHA-256 of `task.json`, which lists every other public file."""
    files: dict[str, str]
    """SHA-256 of every sealed file."""
    seal: str
    """Hash of the other fields."""


def open_task(folder: Path, *, verify: bool = True) -> Task:
    """A built task, from its cache folder or the public folder in it; every file is checked against its hash."""
    root = folder.parent if folder.name == PUBLIC and (folder / TASK_FILE).is_file() else folder
    public, sealed = root / PUBLIC, root / SEALED
    if not (public / TASK_FILE).is_file() or not (sealed / SEAL_FILE).is_file():
        raise HarnessError(
            "no built task here",
            where=folder,
            expected=f"{PUBLIC}/{TASK_FILE} and {SEALED}/{SEAL_FILE}",
            mend="harness tasks build NAME builds one",
        )
    seal = TaskSeal.read(read_json(sealed / SEAL_FILE, "task seal"), where=sealed / SEAL_FILE)
    if _seal_hash(seal) != seal.seal:
        raise _changed(sealed / SEAL_FILE, root, expected=seal.seal, found=_seal_hash(seal))
    _check_file(public / TASK_FILE, seal.card_sha256, root)
    card = TaskCard.read(read_json(public / TASK_FILE, "task card"), where=public / TASK_FILE)
    if verify:
        _check_folder(public, card.files, besides=TASK_FILE, root=root)
        _check_folder(sealed, seal.files, besides=SEAL_FILE, root=root)
    return Task(hash=seal.task_hash, public=public, sealed=sealed, card=card)


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by relative path."""
    return {file: file_hash(folder / file) for file in _files(folder)}


def write_seal(root: Path, task_hash: str) -> None:
    """Close a task that is complete: hash every sealed file and the card, and make all files read-only."""
    draft = TaskSeal(
        task_hash=task_hash,
        card_sha256=file_hash(root / PUBLIC / TASK_FILE),
        files=file_hashes(root / SEALED),
        seal="",
    )
    seal = draft.model_copy(update={"seal": _seal_hash(draft)})
    write_json(root / SEALED / SEAL_FILE, seal.model_dump(mode="json", by_alias=True))
    for file in _files(root):
        (root / file).chmod(0o444)


def _seal_hash(seal: TaskSeal) -> str:
    content = seal.model_dump(mode="json", by_alias=True, exclude={"seal"})
    return Digest("task-seal").json("seal", content).hexdigest()


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def _check_folder(folder: Path, hashes: dict[str, str], *, besides: str, root: Path) -> None:
    foreign = set(_files(folder)) - {*hashes, besides}
    if foreign:
        first = folder / min(foreign)
        raise _changed(first, root, expected="no such file", found=f"{len(foreign)} file(s) more")
    for file, expected in hashes.items():
        _check_file(folder / file, expected, root)


def _check_file(path: Path, expected: str, root: Path) -> None:
    found = file_hash(path) if path.is_file() else "no such file"
    if found != expected:
        raise _changed(path, root, expected=expected, found=found)


def _changed(path: Path, root: Path, *, expected: str, found: str) -> ChangedError:
    return ChangedError(
        "a built task has changed since it was sealed",
        where=path,
        got=found,
        expected=expected,
        mend=f"rm -r {root} and build it again; find out first who wrote there",
    )
