"""Real datasets, imported once by the documented command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset


@pytest.fixture(scope="session")
def imported(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], PerturbDataset]:
    """A real dataset by the name of its card, imported in a child process by the command that the docs name."""
    project = tmp_path_factory.mktemp("project")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}

    def dataset(card: str) -> PerturbDataset:
        path = project / "data" / card
        if not path.exists():
            command = ["data", "import", "--card", card, "--mirror", str(mirror)]
            done = subprocess.run(
                [sys.executable, "-m", "harness.cli.main", *command],
                cwd=project,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr
        return open_dataset(path)

    return dataset
