"""Which images of the harness there are on this machine, and which of them nothing needs any more."""

from __future__ import annotations

import os
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.runtimes.containers.engine import KINDS, Engine, NoEngineError, engine_trouble, find_engine
from harness.runtimes.containers.images import CONTENT, PROJECT, ROLE, SUBMISSION_ROLE, project_label
from harness.runtimes.containers.leftovers import find_leftovers
from harness.runtimes.containers.sif import all_sifs, sif_folder

APPTAINER = "apptainer"
OF_SUBMISSIONS = "perturbfm/"


@dataclass(frozen=True)
class Held:
    """An image that is there."""

    engine: str
    name: str
    role: str
    digest: str
    n_bytes: int


@dataclass(frozen=True)
class Piece:
    """Something that nothing needs."""

    engine: str
    name: str
    why: str
    id: str
    """Container or image id, or path."""
    is_container: bool = False


def inventory() -> tuple[list[Held], dict[str, str]]:
    """All images of the harness; and the engines that do not answer, each with the reason."""
    found: list[Held] = []
    silent: dict[str, str] = {}
    for engine in _engines(silent):
        found += _of_engine(engine)
    found += [
        Held(APPTAINER, sif.name, _role(sif.name), sif.digest, sif.path.stat().st_size) for sif in all_sifs()
    ]
    return found, silent


def prunable(current: Set[str]) -> list[Piece]:
    """What is left over: images of this project's submissions but the current ones, dead containers, half-made files."""
    pieces: list[Piece] = []
    for engine in _engines({}):
        name = engine.runtime
        pieces += [
            Piece(name, one.name, "its harness is gone", one.id, True) for one in find_leftovers(engine)
        ]
        pieces += [
            Piece(name, held.name, "no submission has this content now", held.name)
            for held in _of_engine(engine, f"{PROJECT}={project_label()}")
            if held.role == SUBMISSION_ROLE and held.name not in current
        ]
    for sif in all_sifs():
        if _role(sif.name) == SUBMISSION_ROLE and sif.name not in current:
            pieces.append(Piece(APPTAINER, sif.name, "no submission has this content now", str(sif.path)))
    pieces += [
        Piece(APPTAINER, path.name, "half-made by a process that is gone", str(path))
        for path in sif_folder().glob(".*-*.*")
        if not _is_alive(path)
    ]
    return pieces


def remove(piece: Piece) -> None:
    """Remove one; what another process was quicker to remove is no fault."""
    if piece.engine == APPTAINER:
        path = Path(piece.id)
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return
    engine = find_engine(piece.engine)  # type: ignore[arg-type]
    with engine.client() as client, suppress(*engine_trouble()):
        if piece.is_container:
            client.remove_container(piece.id, force=True, v=True)
        else:
            client.remove_image(piece.id)


def _engines(silent: dict[str, str]) -> list[Engine]:
    found = []
    for kind in KINDS:
        try:
            found.append(find_engine(kind))
        except NoEngineError as error:
            silent[kind] = f"{error.what}: {error.got}"
    return found


def _of_engine(engine: Engine, label: str = ROLE) -> list[Held]:
    with engine.client() as client:
        told = client.images(filters={"label": label})
    return [
        Held(
            engine.runtime, _plain(tag), (one.get("Labels") or {}).get(ROLE, ""), one["Id"], int(one["Size"])
        )
        for one in told
        for tag in one.get("RepoTags") or []
        if (one.get("Labels") or {}).get(CONTENT) is not None
    ]


def _plain(tag: str) -> str:
    """Podman puts a registry's name before names that were given without."""
    first, slash, rest = tag.partition("/")
    short = rest if slash and ("." in first or first == "localhost") else tag
    return short.removeprefix("library/")


def _role(name: str) -> str:
    return SUBMISSION_ROLE if name.startswith(OF_SUBMISSIONS) else "base"


def _is_alive(path: Path) -> bool:
    """Whether the process whose number a half-made file carries still runs."""
    number = path.stem.rpartition("-")[2]
    return number.isdigit() and os.path.exists(f"/proc/{number}")
