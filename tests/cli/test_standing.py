"""What is printed of a run that was held against controls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_a_judged_run_stands_between_its_anchors_with_the_gates_that_it_failed(
    run_harness: Run, project: Path
) -> None:
    said = run_harness("submit", "zeros", "--controls")
    assert said.returncode == 0, said.stderr
    head = next(line for line in said.stdout.splitlines() if "scaled" in line)
    assert [word for word in ("value", "negative", "replicate", "ranks") if word in head] == [
        "value", "negative", "replicate", "ranks",
    ]  # fmt: skip
    assert "beats controls:" in said.stdout
    assert run_harness("runs", "show", "last").stdout.count("beats controls:") == 1


def test_a_quick_look_is_printed_without_anchors(run_harness: Run, project: Path) -> None:
    said = run_harness("submit", "zeros", "--no-controls")
    assert "in distribution" in said.stdout
    assert "replicate" not in said.stdout
