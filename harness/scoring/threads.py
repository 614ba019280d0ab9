"""One BLAS thread: sums are then added in one order, whoever else is at work on the machine."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

CAPS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip
ONE_THREAD = dict.fromkeys(CAPS, "1")
"""What the environment of a worker says before numpy is loaded."""
SYMBOLS = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
)


class _Blas(NamedTuple):
    get: Any
    set: Any


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While the block runs, the OpenBLAS libraries that numpy and scipy brought along use one thread."""
    found = _libraries()
    before = [blas.get() for blas in found]
    for blas in found:
        blas.set(1)
    try:
        yield
    finally:
        for blas, threads in zip(found, before, strict=True):
            blas.set(threads)


def worker_environment() -> dict[str, str]:
    """The environment of a worker process: the caller's, with one thread everywhere."""
    return {**os.environ, **ONE_THREAD}


@cache
def _libraries() -> tuple[_Blas, ...]:
    found = []
    for package in ("numpy", "scipy"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        home = Path(spec.origin).parent
        for folder in (home.with_name(f"{package}.libs"), home / ".dylibs"):
            for path in sorted(folder.glob("*openblas*")):
                found += _opened(path)
    return tuple(found)


def _opened(path: Path) -> list[_Blas]:
    library = ctypes.CDLL(str(path))
    for get, put in SYMBOLS:
        if hasattr(library, get) and hasattr(library, put):
            return [_Blas(getattr(library, get), getattr(library, put))]
    return []
