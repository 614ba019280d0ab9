"""Getting the file of a dataset card: from a mirror folder or over HTTP, resumed, used only by its hash."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.datasets.cards import DatasetCard
from harness.datasets.progress import Progress
from harness.digest import file_hash
from harness.errors import ChangedError, HarnessError
from harness.storage import make_folder

BLOCK = 1 << 20
TIMEOUT_S = 30.0
ATTEMPTS = 5
PAUSE_S = 0.5


class BrokenOffError(Exception):
    """The server went away in the middle; what came so far is kept."""


def is_url(place: str) -> bool:
    """Whether a mirror is a web address rather than a folder."""
    return re.match(r"https?://", place) is not None


def fetch(
    card: DatasetCard, folder: Path, *, mirror: str | None = None, on_progress: Progress | None = None
) -> Path:
    """The card's file in `folder`, with the card's hash. A file that is there already is checked and kept."""
    target = folder / card.file
    if target.exists():
        return check_source(card, target)
    make_folder(folder)
    partial = folder / f"{card.file}.part"
    tell = on_progress or (lambda _done, _of: None)
    with _only_one(folder / f".{card.file}.lock", card):
        if mirror is not None and not is_url(mirror):
            shutil.copyfile(find_in_mirror(card, Path(mirror)), partial)
            tell(card.bytes, card.bytes)
        else:
            _download_any(card, mirror, partial, tell)
        _accept(card, partial, target)
    return target


def find_in_mirror(card: DatasetCard, mirror: Path) -> Path:
    """The card's file in a mirror folder, or a refusal that lists what the folder has."""
    path = mirror / card.file
    if path.is_file():
        return path
    has = sorted(entry.name for entry in mirror.iterdir() if entry.is_file()) if mirror.is_dir() else []
    raise HarnessError(
        f"the mirror does not hold the file of {card.name!r}",
        where=mirror,
        got=(", ".join(has[:20]) + (", …" if len(has) > 20 else "") or "an empty folder")
        if mirror.is_dir()
        else "no such folder",
        expected=card.file,
        mend="name the folder that holds the file, or the file itself with --source",
    )


def check_source(card: DatasetCard, path: Path) -> Path:
    """The path, once its bytes are those of the card."""
    if not path.is_file():
        raise HarnessError("source file not found", where=path, mend="check the path")
    found = file_hash(path)
    if found != card.sha256:
        raise ChangedError(
            f"this is not the file that card {card.name!r} describes",
            where=path,
            got=f"sha256 {found}",
            expected=f"sha256 {card.sha256}",
            mend="get the file again; to import another file use its own card or plain options",
        )
    return path


def _accept(card: DatasetCard, partial: Path, target: Path) -> None:
    """Rename a complete download to its name; one with another hash is moved aside, never used."""
    try:
        check_source(card, partial)
    except ChangedError as error:
        aside = target.with_name(f"{target.name}.rejected")
        os.replace(partial, aside)
        raise ChangedError(
            error.what, where=aside, got=error.got, expected=error.expected, mend=error.mend
        ) from None
    with partial.open("rb") as handle:
        os.fsync(handle.fileno())
    os.replace(partial, target)


def _download_any(card: DatasetCard, mirror: str | None, partial: Path, on_progress: Progress) -> None:
    urls = card.urls if mirror is None else [f"{mirror.rstrip('/')}/{urllib.parse.quote(card.file)}"]
    if not urls:
        raise HarnessError(
            f"the prepared file of {card.name!r} has no public download: it needs --mirror",
            expected=f"a folder or web address that holds {card.file}",
            mend=f"harness data fetch {card.name} --mirror DIR|URL; "
            f"harness data describe {card.name} tells how the file was made from public data",
        )
    for position, url in enumerate(urls, 1):
        try:
            _download(url, card, partial, on_progress)
        except HarnessError:
            if position == len(urls):
                raise
        else:
            return


def _download(url: str, card: DatasetCard, partial: Path, on_progress: Progress) -> None:
    """Download to `partial`, resuming; what an earlier process left there is dropped once if it proves foreign."""
    inherited = partial.exists()
    _resume_until_complete(url, card, partial, on_progress)
    if inherited and file_hash(partial) != card.sha256:
        partial.unlink()
        _resume_until_complete(url, card, partial, on_progress)


def _resume_until_complete(url: str, card: DatasetCard, partial: Path, on_progress: Progress) -> None:
    failed = 0
    while True:
        before = partial.stat().st_size if partial.exists() else 0
        if before >= card.bytes:
            return
        try:
            _append(url, card, partial, on_progress)
        except BrokenOffError as broken:
            after = partial.stat().st_size if partial.exists() else 0
            failed = 1 if after > before else failed + 1
            if failed >= ATTEMPTS:
                raise HarnessError(
                    f"download of {card.name!r} broke off",
                    where=url,
                    got=f"{after} of {card.bytes} bytes; {broken}",
                    mend="run the same command again: it goes on where it stopped",
                ) from None
            time.sleep(PAUSE_S * failed)
        else:
            return


def _append(url: str, card: DatasetCard, partial: Path, on_progress: Progress) -> None:
    """One request: ask for what is missing, write what comes."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": "perturbfm-harness", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _open(urllib.request.Request(url, headers=headers)) as reply:  # noqa: S310 — http(s) only
        start = _start_of(reply, have)
        _refuse_other_size(reply, start, card, url)
        with partial.open("r+b" if start else "wb") as out:
            out.seek(start)
            done = start
            for block in _blocks(reply):
                done += len(block)
                if done > card.bytes:
                    raise HarnessError(
                        "server sends more than the card says", where=url, expected=f"{card.bytes} bytes"
                    )
                out.write(block)
                on_progress(done, card.bytes)
    if done < card.bytes:
        raise BrokenOffError("the connection closed early")


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 — http(s) only
    except urllib.error.HTTPError as error:
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise BrokenOffError(f"server says {error.code} {error.reason}") from None
        raise HarnessError(
            "the server does not give the file",
            where=request.full_url,
            got=f"{error.code} {error.reason}",
            mend="check the address, or name a mirror folder",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError(str(error) or type(error).__name__) from None
    return reply


def _start_of(reply: http.client.HTTPResponse, have: int) -> int:
    """Where the reply's bytes belong: at the end of what we have, or at 0 when the server ignores ranges."""
    told = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range") or "")
    if reply.status == http.HTTPStatus.PARTIAL_CONTENT and told is not None and int(told[1]) == have:
        return have
    if reply.status == http.HTTPStatus.PARTIAL_CONTENT:
        raise HarnessError(
            "server sends another part than was asked for",
            where=reply.url,
            got=reply.headers.get("Content-Range"),
            expected=f"bytes {have}-",
        )
    return 0


def _refuse_other_size(reply: http.client.HTTPResponse, start: int, card: DatasetCard, url: str) -> None:
    length = reply.headers.get("Content-Length")
    if length is not None and length.isdigit() and start + int(length) != card.bytes:
        raise ChangedError(
            f"this is not the file that card {card.name!r} describes",
            where=url,
            got=f"{start + int(length)} bytes",
            expected=f"{card.bytes} bytes, sha256 {card.sha256}",
            mend="check the address",
        )


def _blocks(reply: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = reply.read(BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise BrokenOffError(str(error) or type(error).__name__) from None
        if not block:
            return
        yield block


@contextmanager
def _only_one(lock: Path, card: DatasetCard) -> Iterator[None]:
    """Two processes never write one download at once."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HarnessError(
                f"another process is fetching {card.name!r}", where=lock, mend="wait until it is done"
            ) from None
        yield
