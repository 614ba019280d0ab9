"""A package of somebody else adds an importer by its entry point; nothing in the harness is edited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.dataset import open_dataset

PLUGIN = Path(__file__).parent / "harness-sample-plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin, built and installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PLUGIN, folder / "source")
    site = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(site), str(source)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    lines = ["cell\tperturbation\tcontext\tg1\tg2\tg3"]
    for i in range(80):
        counts = "\t".join(str(n) for n in rng.integers(1, 9, 3))
        lines.append(f"c{i}\t{'NT' if i % 2 else 'g1'}\t{'K562' if i < 40 else 'RPE1'}\t{counts}")
    path = tmp_path / "cells.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def harness(*arguments: str, site: Path | None, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    return subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        timeout=120,
    )


def test_an_installed_plugin_imports_data_through_the_command_line(
    installed: Path, table: Path, tmp_path: Path
) -> None:
    told = ("--importer", "sample", "--option", "control=NT", "--out", "mine")
    done = harness("data", "import", str(table), *told, site=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    dataset = open_dataset(tmp_path / "mine")
    assert dataset.genes == ["g1", "g2", "g3"]
    assert dataset.obs.is_control.sum() == 40
    assert np.allclose(np.expm1(dataset.X).sum(axis=1), 1e4)


def test_an_installed_plugin_is_listed_with_its_options(installed: Path, tmp_path: Path) -> None:
    done = harness("data", "importers", "--json", site=installed, cwd=tmp_path)
    listed = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert {"sample", "h5ad"} <= listed.keys()
    assert "control" in listed["sample"]["options"]["properties"]


def test_an_option_that_the_plugin_does_not_have_is_refused_with_the_nearest(
    installed: Path, table: Path, tmp_path: Path
) -> None:
    told = ("--importer", "sample", "--option", "contrl=NT", "--out", "mine")
    done = harness("data", "import", str(table), *told, site=installed, cwd=tmp_path)
    assert done.returncode == 5
    assert "did you mean 'control'" in done.stderr
    assert not (tmp_path / "mine").exists()


def test_without_the_plugin_its_importer_is_unknown(table: Path, tmp_path: Path) -> None:
    done = harness(
        "data", "import", str(table), "--importer", "sample", "--out", "mine", site=None, cwd=tmp_path
    )
    assert done.returncode == 5
    assert "unknown importer 'sample'" in done.stderr
