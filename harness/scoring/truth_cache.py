"""Truth sides kept beside a task, so that the next submission on it costs only its own side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from harness.digest import Digest, file_hash
from harness.errors import HarnessError
from harness.scoring.sealed_arrays import read_sealed, write_sealed
from harness.scoring.truth_side import CLASSES

FOLDER = "cache"
T = TypeVar("T")


@dataclass(frozen=True)
class TruthCache:
    """Kept results of one task, under the version of the code that computes them. Without a folder nothing is kept."""

    folder: Path | None

    def get(self, name: str, kind: type[T], compute: Callable[[], T]) -> T:
        """A kept result, checked against its hash; computed and kept where there is none."""
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.sealed"
        if path.is_file():
            found = read_sealed(path, CLASSES)
            if not isinstance(found, kind):
                raise HarnessError("a kept result is of another kind", where=path, got=type(found).__name__)
            return found
        value = compute()
        write_sealed(path, value)
        return value


def cache_of_task(root: Path) -> TruthCache:
    """The cache in a built task's folder, beside its sealed truth."""
    return TruthCache(root / FOLDER / kernels_version()[:16])


@cache
def metrics_version() -> str:
    """Hash of all code that defines a metric."""
    import harness.metrics

    return _code(Digest("metrics"), harness.metrics).hexdigest()


@cache
def kernels_version() -> str:
    """Hash of all code that computes numbers, and of the libraries below it: kept results of another are not used."""
    import numpy
    import scipy

    import harness.metrics
    import harness.scoring
    import harness.tasks
    from harness.metrics.backend import device

    digest = Digest("kernels").field("python", sys.version).field("numpy", numpy.__version__)
    digest.field("scipy", scipy.__version__).field("device", device())
    for package in (harness.metrics, harness.scoring, harness.tasks):
        _code(digest, package)
    return digest.hexdigest()


def _code(digest: Digest, package: ModuleType) -> Digest:
    for path in sorted(Path(package.__path__[0]).glob("*.py")):
        digest.field(f"{package.__name__}/{path.name}", file_hash(path))
    return digest
