"""Following `progress.jsonl` while it grows. Its writer is not trusted: what is no progress line is passed over."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from harness.runtimes.protocol import Progress

PROGRESS_FILE = "progress.jsonl"
MAX_LINE = 1 << 14
MAX_READ = 1 << 20
MAX_METRICS = 20


class ProgressTail:
    """Reads the new whole lines of a progress file at each call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def latest(self) -> Progress | None:
        """The last good line since the previous call."""
        lines = (self._rest + self._read()).split(b"\n")
        self._rest = lines.pop()[:MAX_LINE]
        for line in reversed(lines):
            progress = parse_progress(line)
            if progress is not None:
                return progress
        return None

    def _read(self) -> bytes:
        if self._path.is_symlink() or not self._path.is_file():
            return b""
        try:
            with self._path.open("rb") as handle:
                size = handle.seek(0, 2)
                if size - self._offset > MAX_READ:
                    self._offset, self._rest = size - MAX_READ, b""
                handle.seek(self._offset)
                block = handle.read(MAX_READ)
        except OSError:
            return b""
        self._offset += len(block)
        return block


def parse_progress(line: bytes) -> Progress | None:
    """One line as progress, or None where it is not."""
    if len(line) > MAX_LINE:
        return None
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    step, of = _number(told.get("step")), _number(told.get("of"))
    if step is None or step < 0 or (of is not None and of <= 0):
        return None
    metrics = told.get("metrics")
    message = "".join(c for c in str(told.get("message", "")) if c.isprintable())[:200]
    return Progress(step, of, message, _numbers(metrics) if isinstance(metrics, dict) else {})


def _numbers(metrics: dict[Any, Any]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for key, value in metrics.items():
        number = _number(value)
        if number is not None and len(numbers) < MAX_METRICS:
            numbers[str(key)[:40]] = number
    return numbers


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
