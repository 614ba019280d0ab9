"""The log of a run: head and tail are kept, what was dropped between them is counted."""

from __future__ import annotations

import os
import threading
from pathlib import Path

BLOCK = 1 << 16


class BoundedLog:
    """Drains a pipe to its end, keeping at most `limit` bytes: a chatty program neither blocks nor fills the disk."""

    def __init__(self, pipe: int, limit: int) -> None:
        self._pipe = pipe
        self._head_room = limit // 2
        self._tail_room = limit - self._head_room
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, name="run-log", daemon=True)
        self._thread.start()

    def close(self, path: Path, timeout: float = 5) -> None:
        """Wait for the end of the pipe and write the file."""
        self._thread.join(timeout)
        path.write_bytes(self.content())

    def content(self) -> bytes:
        """What is kept, with a line where bytes were dropped."""
        with self._lock:
            gap = f"\n… {self._dropped} bytes dropped …\n".encode() if self._dropped else b""
            return bytes(self._head) + gap + bytes(self._tail)

    def _drain(self) -> None:
        with os.fdopen(self._pipe, "rb", buffering=0) as pipe:
            while block := pipe.read(BLOCK):
                self._keep(block)

    def _keep(self, block: bytes) -> None:
        with self._lock:
            room = self._head_room - len(self._head)
            self._head += block[:room]
            self._tail += block[room:]
            excess = len(self._tail) - self._tail_room
            if excess > 0:
                del self._tail[:excess]
                self._dropped += excess


def last_lines(content: bytes, n: int = 3, width: int = 300) -> str:
    """The last lines that say something, for a one-line reason."""
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    kept = [line for line in lines if line][-n:]
    text = " | ".join("".join(c for c in line if c.isprintable()) for line in kept)
    return text if len(text) <= width else "…" + text[-width:]
