"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def required(resource: str) -> bool:
    """Whether the environment says that a missing resource is a failure, not a skip."""
    return resource in os.environ.get("HARNESS_REQUIRE", "").split(",")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of small real datasets."""
    told = os.environ.get("HARNESS_MIRROR")
    if told and Path(told).is_dir():
        return Path(told)
    reason = "HARNESS_MIRROR names no folder with the small real datasets"
    if required("realdata"):
        pytest.fail(f"HARNESS_REQUIRE names realdata, but {reason}")
    pytest.skip(reason)
