"""The import holds a block of rows, not the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "import_million.py"


def measure(folder: Path, n_cells: int) -> dict[str, float]:
    command = [sys.executable, str(BENCHMARK), "--cells", str(n_cells), "--folder", str(folder)]
    figures: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return figures


def test_fifty_thousand_cells_of_two_thousand_genes_are_imported_in_less_memory_than_the_artifact(
    tmp_path: Path,
) -> None:
    figures = measure(tmp_path, 50_000)
    assert figures["artifact_mb"] > 490
    assert figures["peak_mb"] - figures["base_mb"] < 300


@pytest.mark.long
def test_a_million_cells_of_two_thousand_genes_are_imported_in_less_than_2_gb(tmp_path: Path) -> None:
    assert measure(tmp_path, 1_000_000)["peak_mb"] < 2000
