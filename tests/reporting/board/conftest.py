"""Sealed records with made-up scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
Made = Callable[..., Path]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder for runs."""
    return tmp_path / "runs"


@pytest.fixture
def made(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Writes a sealed run; each starts a second after the one before."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.sealed_runs import Told, sealed_run

    def make(submission: str = "mine", **told: Any) -> Path:
        told.setdefault("second", len(list(runs.iterdir())) if runs.is_dir() else 0)
        return sealed_run(runs, Told(submission=submission, **told))

    return make


@pytest.fixture
def errors() -> Callable[..., tuple[float, ...]]:
    """An error per condition about a level: the same hard and easy conditions for everybody, and own noise."""

    def about(level: float, seed: int = 0, n: int = 30) -> tuple[float, ...]:
        hard = np.random.default_rng(99).uniform(0.5, 1.5, n)
        noise = np.random.default_rng([seed, int(level * 1e6)]).normal(0, 0.01, n)
        return tuple((level * hard + noise).tolist())

    return about
