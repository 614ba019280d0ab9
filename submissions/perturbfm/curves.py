"""What a training leaves to be looked at: `diagnostics.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Curve:
    """What was measured at some steps."""

    steps: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, step: int, **measured: float) -> None:
        """One more point."""
        self.steps.append(step)
        for name, value in measured.items():
            self.values.setdefault(name, []).append(round(float(value), 6))


def write_diagnostics(folder: Path, document: Mapping[str, Any]) -> None:
    """Write the document in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "diagnostics.partial"
    partial.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, folder / "diagnostics.json")
