"""The words of a container, from the engine's stream into the bounded log of a run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress

from harness.runtimes.containers.engine import engine_trouble
from harness.runtimes.log import BoundedLog


class LogStream:
    """Pumps a stream of bytes into a pipe that the bounded log drains; tells when the stream has ended."""

    def __init__(self, stream: Iterable[bytes], limit: int) -> None:
        read_end, self._write_end = os.pipe()
        self.log = BoundedLog(read_end, limit)
        self._stream = stream
        self._ended = threading.Event()
        threading.Thread(target=self._pump, name="container-log", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether the stream ended within some seconds; the container ends soon after, or has closed its outputs."""
        return self._ended.wait(seconds)

    def _pump(self) -> None:
        try:
            with suppress(*engine_trouble(), OSError, ValueError, AttributeError):
                for block in self._stream:
                    while block:
                        block = block[os.write(self._write_end, block) :]
        finally:
            os.close(self._write_end)
            self._ended.set()
