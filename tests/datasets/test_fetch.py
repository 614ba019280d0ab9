"""Fetching: resumed, checked by hash, never half there. Over a real HTTP server on the loopback interface."""

from __future__ import annotations

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from harness.datasets import fetch as fetching
from harness.datasets.cards import DatasetCard, load_card
from harness.datasets.fetch import fetch
from harness.errors import ChangedError, HarnessError

CONTENT = np.random.default_rng(5).bytes(300_000)


@dataclass
class Server:
    """A file server that knows ranges, and breaks off when told to."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)
    """For each coming request, after how many bytes the connection is cut; requests beyond are served whole."""
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if not self.path.endswith("toy.h5ad"):
                self.send_error(404)
                return
            start = int(asked[len("bytes=") : -1]) if asked and state.ranges else 0
            self.send_response(206 if start else 200)
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}"
                )
            self.send_header("Content-Length", str(len(state.content) - start))
            self.end_headers()
            body = state.content[start:]
            if state.break_after:
                self.wfile.write(body[: state.break_after.pop(0)])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetching, "PAUSE_S", 0.01)
    yield state
    httpd.shutdown()
    httpd.server_close()


def card_for(content: bytes, **changes: object) -> DatasetCard:
    facts = {"file": "toy.h5ad", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return load_card("kang18_pbmc_ifnb").model_copy(update=facts | changes)


@pytest.fixture
def card() -> DatasetCard:
    return card_for(CONTENT)


def test_a_file_comes_whole_with_progress(server: Server, card: DatasetCard, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    path = fetch(card, tmp_path, mirror=server.url, on_progress=lambda done, of: told.append((done, of)))
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_the_urls_of_a_card_are_tried_in_order(server: Server, tmp_path: Path) -> None:
    card = card_for(CONTENT, urls=[f"{server.url}/gone", f"{server.url}/toy.h5ad"])
    assert fetch(card, tmp_path).read_bytes() == CONTENT


def test_a_broken_connection_is_resumed_where_it_broke(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    server.break_after = [100_000, 50_000]
    assert fetch(card, tmp_path, mirror=server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_goes_on_where_a_dead_one_stopped(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    (tmp_path / "toy.h5ad.part").write_bytes(CONTENT[:123_456])
    assert fetch(card, tmp_path, mirror=server.url).read_bytes() == CONTENT
    assert server.asked == ["bytes=123456-"]


def test_a_server_without_ranges_starts_over(server: Server, card: DatasetCard, tmp_path: Path) -> None:
    server.ranges, server.break_after = False, [100_000]
    assert fetch(card, tmp_path, mirror=server.url).read_bytes() == CONTENT


def test_a_connection_that_never_lasts_is_given_up_and_what_came_is_kept(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    server.break_after = [1000] + [0] * 20
    with pytest.raises(HarnessError, match="broke off") as refused:
        fetch(card, tmp_path, mirror=server.url)
    assert "1000 of 300000 bytes" in str(refused.value)
    assert (tmp_path / "toy.h5ad.part").read_bytes() == CONTENT[:1000]
    assert not (tmp_path / "toy.h5ad").exists()


def test_a_foreign_part_left_behind_is_dropped_and_fetched_afresh(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    (tmp_path / "toy.h5ad.part").write_bytes(b"x" * 1000)
    assert fetch(card, tmp_path, mirror=server.url).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_with_both_hashes_and_the_file_moved_aside(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    server.content = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    with pytest.raises(ChangedError) as refused:
        fetch(card, tmp_path, mirror=server.url)
    assert card.sha256 in str(refused.value)
    assert hashlib.sha256(server.content).hexdigest() in str(refused.value)
    assert not (tmp_path / "toy.h5ad").exists()
    assert not (tmp_path / "toy.h5ad.part").exists()
    assert (tmp_path / "toy.h5ad.rejected").read_bytes() == server.content


@pytest.mark.parametrize("size", [1000, 400_000])
def test_a_file_of_another_size_is_refused_before_it_is_downloaded(
    size: int, server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    server.content = b"x" * size
    with pytest.raises(ChangedError, match="not the file"):
        fetch(card, tmp_path, mirror=server.url)
    assert not (tmp_path / "toy.h5ad.part").exists()


def test_a_missing_file_on_the_server_is_said_with_its_address(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    with pytest.raises(HarnessError, match="does not give the file") as refused:
        fetch(card.model_copy(update={"file": "absent.h5ad"}), tmp_path, mirror=server.url)
    assert "absent.h5ad" in str(refused.value)
    assert "404" in str(refused.value)


def test_a_server_that_is_not_there_is_said(card: DatasetCard, tmp_path: Path, server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(HarnessError, match="broke off"):
        fetch(card, tmp_path, mirror=f"http://127.0.0.1:{port}")


def test_a_card_without_download_says_that_it_needs_a_mirror(card: DatasetCard, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="needs --mirror"):
        fetch(card, tmp_path)


def test_a_mirror_folder_gives_the_file(card: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "toy.h5ad").write_bytes(CONTENT)
    path = fetch(card, tmp_path / "downloads", mirror=str(tmp_path / "mirror"))
    assert path == tmp_path / "downloads" / "toy.h5ad"
    assert path.read_bytes() == CONTENT


def test_a_mirror_folder_without_the_file_says_what_it_has(card: DatasetCard, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "something_else.h5ad").touch()
    with pytest.raises(HarnessError) as refused:
        fetch(card, tmp_path / "downloads", mirror=str(tmp_path / "mirror"))
    assert "something_else.h5ad" in str(refused.value)
    assert "toy.h5ad" in str(refused.value)


def test_a_file_that_is_there_is_checked_and_not_fetched_again(
    server: Server, card: DatasetCard, tmp_path: Path
) -> None:
    fetch(card, tmp_path, mirror=server.url)
    fetch(card, tmp_path, mirror=server.url)
    assert len(server.asked) == 1
    (tmp_path / "toy.h5ad").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(ChangedError, match="not the file"):
        fetch(card, tmp_path, mirror=server.url)


def test_two_processes_do_not_write_one_download(server: Server, card: DatasetCard, tmp_path: Path) -> None:
    with (
        fetching._only_one(tmp_path / ".toy.h5ad.lock", card),
        pytest.raises(HarnessError, match="another process"),
    ):
        fetch(card, tmp_path, mirror=server.url)
