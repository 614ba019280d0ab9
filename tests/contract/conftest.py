"""A manifest that is accepted, to be changed by each test."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def manifest() -> dict[str, Any]:
    """A whole manifest as TOML gives it."""
    return {
        "schema": 1,
        "name": "shrunken-ridge",
        "version": "1.0.0",
        "title": "Ridge on control state",
        "authors": ["A. Author"],
        "license": "MIT",
        "url": "https://example.org/ridge",
        "run": {"module": "ridge.main:submission", "packages": ["perturbfm"]},
        "params": {"alpha": 1.0, "epochs": 30, "use_graph": True, "layers": [64, 64], "loss": "nll"},
        "variants": {"no_graph": {"use_graph": False}, "strong": {"alpha": 10}},
        "claims": {"uncertainty": "native", "inputs": ["expression", "graph"]},
        "resources": {"cpus": 2, "memory": "1.5G", "time": "1-02:30:00"},
    }
