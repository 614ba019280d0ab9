"""The environments that were built on this machine, and what they cost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.runtimes.environments.build import MARKER
from harness.storage import read_json


@dataclass(frozen=True)
class BuiltEnvironment:
    """A finished environment."""

    folder: Path
    built_for: str
    """The folder of the lock that it was first built for; others with the same lock share it."""
    packages: tuple[str, ...]
    seconds: float
    """How long building took."""
    n_bytes: int

    @property
    def cost(self) -> tuple[str, str]:
        return f"{self.n_bytes / 2**20:.0f}", f"{self.seconds:.0f}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "folder": str(self.folder),
            "built_for": self.built_for,
            "packages": list(self.packages),
            "seconds": self.seconds,
            "bytes": self.n_bytes,
        }


def environments(cache: Path) -> list[BuiltEnvironment]:
    """Those in a cache, by name; half-built ones are none."""
    found = []
    for marker in sorted(cache.glob(f"*/{MARKER}")):
        told = read_json(marker, "environment")
        size = sum(
            os.lstat(os.path.join(root, name)).st_size
            for root, _, files in os.walk(marker.parent)
            for name in files
        )
        found.append(
            BuiltEnvironment(
                marker.parent, told.get("built_for", ""), tuple(told["packages"]), told["seconds"], size
            )
        )
    return found
