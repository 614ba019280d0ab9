"""Writing so that nothing half-made can be seen: canonical JSON, atomic files, atomic folders."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import ExistsError, HarnessError

_PARTIAL = ".partial-"


def canonical_json(value: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys and no NaN, so that equal values are equal bytes."""
    return _encode(value, ",", ":") if indent is None else _indented(value, " " * indent, "\n")


def _indented(value: Any, step: str, line: str) -> str:
    """What `json` writes with an indent, whose own writer of it is slow: what holds no container is encoded at once."""
    if not isinstance(value, (dict, list, tuple)) or not value:
        return _encode(value, ",", ": ")
    inner = line + step
    items = value.values() if isinstance(value, dict) else value
    if not any(isinstance(item, (dict, list, tuple)) for item in items):
        flat = _encode(value, "," + inner, ": ")
        return f"{flat[0]}{inner}{flat[1:-1]}{line}{flat[-1]}"
    if not isinstance(value, dict):
        return f"[{inner}{f',{inner}'.join(_indented(item, step, inner) for item in value)}{line}]"
    parts = [f"{_key(key)}: {_indented(item, step, inner)}" for key, item in sorted(value.items())]
    return f"{{{inner}{f',{inner}'.join(parts)}{line}}}"


def _key(key: Any) -> str:
    text = _encode(key, ",", ": ")
    return text if isinstance(key, str) else f'"{text}"'


def _encode(value: Any, between: str, after_key: str) -> str:
    return _encoder(between, after_key).encode(value)


@cache
def _encoder(between: str, after_key: str) -> json.JSONEncoder:
    return json.JSONEncoder(
        sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(between, after_key)
    )


def read_json(path: Path, kind: str) -> Any:
    """A JSON file, or a refusal that names the file and the place where it breaks."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"{kind} not found", where=path, mend="check the path") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"{kind} is not readable JSON", where=path, got=error) from None


def read_toml(path: Path, kind: str, *, mend: str | None = None) -> dict[str, Any]:
    """A TOML file, or a refusal that names the file and the place where it breaks."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"{kind} not found", where=path, mend="check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"{kind} is not readable TOML", where=path, got=error, mend=mend) from None


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file in one step: a reader sees the old content or the new, never a part.

    `durable` waits for the disk, so that not even a power cut leaves a part.
    """
    make_folder(path.parent)
    partial = _partial_sibling(path)
    try:
        with naming(path), partial.open("wb") as handle:
            handle.write(content)
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def write_text(path: Path, content: str) -> None:
    """Write a text file in one step, as UTF-8."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Write canonical JSON, indented for the eye, in one step."""
    write_text(path, canonical_json(value, indent=1) + "\n")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they stand already; a file in the way is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ExistsError(
            "a file stands where a folder is needed", where=folder, mend="choose another folder"
        ) from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the operating system say which file it is about; a full disk does not say it by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def reserve(path: Path, n_bytes: int) -> None:
    """Give a file its size and take the space now: a disk that fills up under a memory map kills the process."""
    with naming(path), path.open("r+b") as handle:
        handle.truncate(n_bytes)
        if n_bytes and hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(handle.fileno(), 0, n_bytes)


@contextmanager
def new_folder(target: Path, *, kind: str) -> Iterator[Path]:
    """A folder that appears under its name only when it is complete.

    Work goes on in a hidden sibling, which is synced and renamed at the end and removed on any error. Siblings left by
    processes that were killed are swept first. An existing, non-empty target is refused.
    """
    target = target.absolute()
    refuse_existing(target, kind=kind)
    make_folder(target.parent)
    sweep_partials(target.parent)
    partial = _partial_sibling(target)
    partial.mkdir()
    try:
        yield partial
        _sync_tree(partial)
        try:
            os.rename(partial, target)
        except OSError:
            refuse_existing(target, kind=kind)
            raise
        _sync_folder(target.parent)
    finally:
        remove_tree(partial)


@contextmanager
def scratch_folder(near: Path) -> Iterator[Path]:
    """A hidden folder beside `near` for intermediate files; removed at the end, or swept if the process is killed."""
    near = near.absolute()
    make_folder(near.parent)
    sweep_partials(near.parent)
    scratch = _partial_sibling(near)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        remove_tree(scratch)


def refuse_existing(target: Path, *, kind: str) -> None:
    """Refuse to write over something that stands already; an empty folder is free."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise ExistsError(
            f"{kind} already exists", where=target, mend="choose another name, or remove it first"
        )


def sweep_partials(folder: Path) -> None:
    """Remove what killed processes of this machine left half-made in a folder."""
    for entry in dead_partials(folder):
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            entry.unlink(missing_ok=True)


def dead_partials(folder: Path) -> list[Path]:
    """What killed processes of this machine left half-made in a folder; what living ones work on is not among it."""
    dead = []
    for entry in folder.glob(f".*{_PARTIAL}*"):
        host, _, rest = entry.name.rpartition(_PARTIAL)[2].partition("~")
        pid = rest.partition("~")[0]
        if host == _host() and pid.isdigit() and not _alive(int(pid)):
            dead.append(entry)
    return sorted(dead)


def remove_tree(folder: Path) -> None:
    """Remove a folder whatever is in it, as far as this user may; one that is not there is no fault.

    What a program left may be nested so deep that no path reaches its end and no recursion gets there, or closed to its
    own owner: each folder inside is opened, lifted out beside the first, and emptied there.
    """
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    waiting = [folder] if folder.is_dir() and not folder.is_symlink() else []
    while waiting:
        emptied = waiting.pop()
        with suppress(OSError):
            emptied.chmod(0o700)
            for entry in list(os.scandir(emptied)):
                if entry.is_dir(follow_symlinks=False):
                    os.chmod(entry.path, 0o700)
                    waiting.append(folder.with_name(f"{folder.name}~{uuid.uuid4().hex[:8]}"))
                    os.rename(entry.path, waiting[-1])
                else:
                    os.unlink(entry.path)
            emptied.rmdir()


def _partial_sibling(path: Path) -> Path:
    return path.parent / f".{path.name}{_PARTIAL}{_host()}~{os.getpid()}~{uuid.uuid4().hex[:8]}"


def _host() -> str:
    return "".join(c if c.isalnum() else "-" for c in socket.gethostname()) or "host"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_tree(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(root, name), "rb") as handle:
                os.fsync(handle.fileno())
        _sync_folder(Path(root))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
