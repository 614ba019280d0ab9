"""A server of one published site, on loopback."""

from __future__ import annotations

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.reporting.board.pages import INDEX

LOOPBACK = "127.0.0.1"


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not yet serving; its address tells the port where 0 was asked for."""
    if not (site / INDEX).is_file():
        raise HarnessError(
            "no published site here",
            where=site,
            got=f"no {INDEX}" if site.is_dir() else "no such folder",
            mend="harness publish --out FOLDER makes one",
        )
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, directory=str(site)))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise HarnessError(
            "this port cannot be had",
            where=f"{LOOPBACK}:{port}",
            got=error.strerror,
            mend="--port 0 takes a free one",
        ) from None


class _Handler(SimpleHTTPRequestHandler):
    """Files of the site, never kept by the browser, and no line per request."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, _: Any) -> None:
        """Folders are not listed."""
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class gives it
        """Say nothing."""
