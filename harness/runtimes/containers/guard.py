"""Ends a container whose harness was killed; a small program of its own (standard library only, no site packages).

Started as `python -I -S guard.py SOCKET NAME`. Standard input is a lifeline: the byte `d` says that the container is gone
and all is well; its end without that byte says that the harness died, and the container is removed with what runs in it.
"""

from __future__ import annotations

import os
import signal
import sys

TRIES = 20
ANSWER_SECONDS = 30
GONE = (b"200", b"204")


def main(arguments: list[str]) -> int:
    """Wait for the end of the harness or for its word."""
    path, name = arguments
    for polite in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    if os.read(0, 1) == b"d":
        return 0
    import time  # what is imported above is paid by every run

    for _ in range(TRIES):  # the harness may have died between asking for the container and its being there
        if ask_to_remove(path, name) in GONE:
            return 0
        time.sleep(0.1)
    return 1


def ask_to_remove(path: str, name: str) -> bytes:
    """The engine's answer: the three figures of its HTTP status, or nothing."""
    import socket

    request = f"DELETE /v1.40/containers/{name}?force=true&v=true HTTP/1.0\r\nHost: engine\r\n\r\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
            engine.settimeout(ANSWER_SECONDS)
            engine.connect(path)
            engine.sendall(request.encode())
            words = engine.recv(64).split()
    except OSError:
        return b""
    return words[1] if len(words) > 1 else b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
