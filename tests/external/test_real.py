"""Where wrapped models stand on real data, printed; what has to hold is wide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.external, pytest.mark.realdata, pytest.mark.long]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def harness(tmp_path: Path, mirror: Path, cache: Path) -> Callable[..., str]:
    """A command line in a project of its own, which shares the environments: `harness("runs", "list")`."""
    (tmp_path / "submissions").symlink_to(ROOT / "submissions")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".environments").symlink_to(cache)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "harness.cli.main", *words],
            cwd=tmp_path, env={**environment, "HARNESS_MIRROR": str(mirror)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def scores(project: Path, panel: str, metric: str) -> dict[str, float]:
    """The value of a metric for each run of a project, by the submission's name; printed, best first."""
    found = {}
    for path in project.glob("runs/*/metrics.json"):
        record = json.loads(path.with_name("record.json").read_text())
        assert record["status"] == "ok", record["reason"]
        found[record["submission"]["name"]] = json.loads(path.read_text())[panel]["global"][metric]["value"]
    for name, value in sorted(found.items(), key=lambda pair: -pair[1]):
        print(f"{metric} of {name}: {value:.4f}")
    return found


def test_scgen_knows_more_of_a_held_out_cell_type_than_the_mean_of_the_others(
    built: Callable[[str], Path], harness: Callable[..., str], tmp_path: Path
):
    """Kang: interferon in cell types that were seen without it alone. What others published: 0.87 against 0.59.

    Ours, of 4,000 genes and fewer cells: 0.714 against 0.653, measured as they do, with the control cells that the model
    was given on both sides. Held against controls of its own pool the same predictions fall to 0.445, the mean to 0.647.
    """
    built("scgen")
    harness("data", "import", "--card", "kang18_pbmc_ifnb")
    held_out = ["--holdout-context", "B", "--calib-context", "DC"]
    asked = [word for name in ("CD16 Mono", "CD8 T", "NK") for word in ("--val-context", name)]
    harness("splits", "create", "--data", "kang18_pbmc_ifnb", "--spec", "context_ood", *held_out, *asked)
    task = "kang18_pbmc_ifnb:context_ood"
    names = ["submissions/baselines/global_mean", "submissions/scgen"]
    harness("submit", *names, "--task", task, "--no-controls", "--yes")
    found = scores(tmp_path, "scperturbench", "pcc_delta_all")
    assert found["scgen"] > found["global-mean"]
    scores(tmp_path, "calibrated", "pcc_delta")


def test_where_gears_stands_on_combinations_of_activated_genes(
    built: Callable[[str], Path], harness: Callable[..., str], mirror: Path, tmp_path: Path
):
    """Norman, mean effects of 104 singles and 130 doubles, beside the baselines that it has to beat."""
    built("gears")
    name = "norman19_k562_pseudobulk"
    harness("data", "import", "--card", name)
    harness("splits", "create", "--data", name, "--spec", "combo", "--param", "unseen_fraction=0")
    harness("data", "graph", name, "--from", str(mirror / "graphs" / "go_bp_2021.gmt.gz"), "--name", "go")
    baselines = [
        f"submissions/baselines/{each}" for each in ("global_mean", "additive", "scaled_additive", "bilinear")
    ]
    harness("submit", *baselines, "submissions/gears", "--task", f"{name}:combo", "--no-controls", "--yes")
    found = scores(tmp_path, "calibrated", "pcc_delta")
    assert set(found) == {"global-mean", "additive", "scaled-additive", "bilinear", "gears"}
    assert found["gears"] > 0
