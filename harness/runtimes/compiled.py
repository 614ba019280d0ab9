"""The small programs that every run is started with, compiled once: to parse them each time costs as much as they do."""

from __future__ import annotations

import importlib.util
import py_compile
from functools import cache
from pathlib import Path


@cache
def compiled(source: Path) -> Path:
    """The bytecode of a program for this version of Python; its source where none can be written beside it.

    It is used only where it was made from this very source. The interpreter that runs it must be of this version.
    """
    code = Path(importlib.util.cache_from_source(str(source), optimization="program"))
    if _made_from(source, code):
        return code
    try:
        py_compile.compile(
            str(source),
            str(code),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )
    except OSError:
        return source
    return code if _made_from(source, code) else source


def _made_from(source: Path, code: Path) -> bool:
    """Bytecode begins with the number of its version, flags, and the hash of its source."""
    try:
        head = code.read_bytes()[:16]
    except OSError:
        return False
    return head[:4] == importlib.util.MAGIC_NUMBER and head[8:] == importlib.util.source_hash(
        source.read_bytes()
    )
