"""What `.ci/run` sources: engines that come up are required, one that cannot be had is left out aloud; a fault ends it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / ".ci"
NAMES = ("bubblewrap", "docker", "podman", "apptainer", "slurm", "chromium")


@pytest.fixture
def bring_up(tmp_path):
    """Source `up.sh` where the script of each engine is one line."""

    def run(**scripts: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / ".ci" / "engines"
        folder.mkdir(parents=True)
        shutil.copy(SCRIPTS / "engines" / "up.sh", folder)
        for name in NAMES:
            (folder / f"{name}.sh").write_text(f"#!/bin/sh\n{scripts.get(name, 'true')}\n")
            (folder / f"{name}.sh").chmod(0o755)
        script = 'set -euo pipefail; . .ci/engines/up.sh; echo "up: ${ENGINES_UP[*]}"; echo "at: ${PLACE:-}"'
        environment = {"PATH": "/usr/bin:/bin", "HARNESS_ENGINES": str(tmp_path / "engines")}
        return subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_all_that_come_up_are_named_by_their_markers_and_their_variables_are_set(bring_up, tmp_path):
    (tmp_path / "engines" / "docker").mkdir(parents=True)
    (tmp_path / "engines" / "docker" / "env.sh").write_text("export PLACE=there\n")
    done = bring_up()
    assert done.returncode == 0, done.stderr
    assert "up: bwrap docker podman apptainer slurm chromium\nat: there\n" in done.stdout


def test_one_that_cannot_be_had_today_is_left_out_aloud(bring_up):
    done = bring_up(apptainer="exit 75")
    assert done.returncode == 0
    assert "# LEFT OUT: apptainer cannot be had" in done.stdout
    assert "up: bwrap docker podman slurm chromium" in done.stdout


def test_any_other_fault_is_one(bring_up):
    done = bring_up(slurm="exit 3")
    assert done.returncode != 0
    assert "slurm did not come up (exit 3" in done.stderr
    assert "up:" not in done.stdout


@pytest.mark.parametrize(
    "script", sorted(path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.rglob("*") if path.is_file())
)
def test_every_script_can_be_read_by_bash(script):
    done = subprocess.run(["bash", "-n", SCRIPTS / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
