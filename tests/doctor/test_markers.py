"""A test that needs an engine skips with the doctor's reason, and fails where the machine promised to have it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
MARKED = """
import pytest

@pytest.mark.docker
def test_that_needs_docker():
    raise AssertionError("it ran")
"""


def _run(tmp_path: Path, **told: str) -> str:
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_marked.py").write_text(MARKED)
    configuration = HERE.parent / "pyproject.toml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(configuration), f"--rootdir={tmp_path}", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **told},
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("require", "summary"), [("", "1 skipped"), ("slurm,docker", "1 error")])
def test_a_missing_engine_is_a_skip_or_where_it_is_required_a_failure(tmp_path, require, summary):
    words = _run(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/nobody.sock", HARNESS_REQUIRE=require)
    assert summary in words
    assert "nobody.sock: No such file or directory" in words
    assert "it ran" not in words
