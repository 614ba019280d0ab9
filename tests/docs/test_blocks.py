"""What README and documentation tell a newcomer to type is typed here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from harness.datasets.synthetic import make_preset
from harness.sdk import load_task

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "readme",
    "docs/how-to/add-a-dataset.md": "dataset",
    "docs/how-to/freeze-a-split.md": "split",
    "docs/how-to/slurm.md": "runs",
    "docs/how-to/open-test.md": "runs",
    "docs/how-to/containers.md": "runs",
    "docs/how-to/compare-submissions.md": "runs",
    "docs/how-to/doctor.md": "runs",
    "docs/how-to/sweeps-and-suites.md": "runs",
}
"""Each page, and the checkout that it is typed into: pages that only run things share one."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def checkout(
    tmp_path_factory: pytest.TempPathFactory, made_once: Callable[[str, Callable[[Path], object]], Path]
) -> Callable[[str], Path]:
    """A newcomer's checkout by name: the submissions, an `.h5ad` of their own, and a demo dataset.

    The demo is a tenth of its size: what is typed is tried here, not what comes out. Tasks and controls are shared.
    """
    root = tmp_path_factory.mktemp("checkouts")
    data = made_once("little-demo", _little_demo)

    def named(name: str) -> Path:
        folder = root / name
        return folder if folder.exists() else newcomer(folder, data)

    return named


def _little_demo(data: Path) -> None:
    make_preset("demo", data / "demo", scale=0.1)
    (data / ".tasks").mkdir()


@pytest.fixture(scope="module")
def after_the_tutorial(checkout: Callable[[str], Path]) -> Path:
    """The checkout of a newcomer who has typed the tutorial, word for word."""
    project = checkout("tutorial")
    done = type_in(project, "\n".join(blocks("docs/tutorial.md", "bash")))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return project


def newcomer(folder: Path, data: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    for there in (one for one in data.iterdir() if one.is_dir()):
        (folder / "data" / there.name).symlink_to(there)
    ignored = shutil.ignore_patterns("__pycache__", "predict")
    shutil.copytree(ROOT / "submissions", folder / "submissions", ignore=ignored)
    write_screen(folder / "screen.h5ad")
    return folder


def write_screen(path: Path) -> None:
    """Counts of a small screen: 3 cell types × 6 knock-outs, with controls."""
    rng = np.random.default_rng(7)
    genes = [f"GENE{i}" for i in range(40)]
    perts = ["non-targeting"] * 5 + genes[:6]
    n = 1200
    obs = pd.DataFrame(
        {
            "perturbation": pd.Categorical(rng.choice(perts, n)),
            "cell_type": pd.Categorical(rng.choice(["HepG2", "K562", "RPE1"], n)),
            "batch": pd.Categorical(rng.choice(["b1", "b2"], n)),
        },
        index=[f"cell{i}" for i in range(n)],
    )
    counts = rng.negative_binomial(2, 0.3, (n, len(genes))).astype(np.float32)
    anndata.AnnData(counts, obs, pd.DataFrame(index=genes)).write_h5ad(path)


def type_in(project: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("HARNESS_", "PERTURBFM_"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=project, env=environment, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works_as_it_is_written(page: str, checkout: Callable[[str], Path]) -> None:
    project = checkout(PAGES[page])
    if page.endswith("freeze-a-split.md"):
        prepare_split_page(project)
    script = "\n".join(block for block in blocks(page, "bash") if not block.startswith("make "))
    done = type_in(project, script)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def test_the_tutorial_ends_with_a_published_scorecard_of_ones_own_model(after_the_tutorial: Path) -> None:
    runs = sorted(folder for folder in (after_the_tutorial / "runs").iterdir() if "_" in folder.name)
    own = [folder for folder in runs if "first-model" in folder.name]
    assert (len(runs), len(own)) == (3, 2), "two of the model, one of the baseline"
    for folder in runs:
        assert (folder / "scorecard.html").read_text().startswith("<!doctype html>")
    board = json.loads((after_the_tutorial / "site" / "board.json").read_text())
    assert "first-model" in json.dumps(board)
    published = {
        file.parent.name for file in (after_the_tutorial / "site").rglob("*.html")
        if (after_the_tutorial / "runs" / file.parent.name).is_dir() or "scorecard" in file.as_posix()
    }  # fmt: skip
    assert published, "the scorecards lie on the board"


def test_what_the_publish_page_says_works_on_these_runs(after_the_tutorial: Path) -> None:
    shutil.rmtree(after_the_tutorial / "site", ignore_errors=True)
    done = type_in(after_the_tutorial, "\n".join(blocks("docs/how-to/publish.md", "bash")))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert {"index.html", "board.json", "board.csv", "board.parquet"} <= {
        file.name for file in (after_the_tutorial / "site").iterdir()
    }


def prepare_split_page(project: Path) -> None:
    """The dataset that the page speaks of, and the two official files that it imports."""
    first = blocks("docs/how-to/add-a-dataset.md", "bash")[0]
    export = (
        "harness splits create --data data/screen --spec context_ood --holdout-context K562 --name official"
        " --param iid_conditions=0\n"
        "harness splits export official --data data/screen --format perturbench --out split.csv\n"
        "harness splits export official --data data/screen --format state-toml --calib-as val --out split.toml\n"
    )
    done = type_in(project, first + export)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {block.split()[1] for block in blocks("README.md", "bash") if block.startswith("make ")}
    assert named == {"demo", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


@pytest.mark.parametrize(
    ("word", "extra", "submission"),
    [("", "[models]", "v3a"), ("SUBMISSION=submissions/baselines/ridge", "", "baselines/ridge")],
)
def test_the_demo_installs_what_its_submission_needs(
    word: str, extra: str, submission: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "demo", f"VENV={tmp_path}/.venv", *word.split()],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-1].endswith(f"harness submit submissions/{submission}")
    assert any(re.search(rf"pip .*install .*--editable '?\.{re.escape(extra)}'?$", line) for line in lines)


def test_the_submission_that_the_readme_shows_predicts(
    handmade_task: Callable[..., Path], tmp_path: Path
) -> None:
    names: dict[str, Any] = {}
    exec(blocks("README.md", "python")[0], names)
    task = load_task(handmade_task([("c1", "G1"), ("c1", "G2")], [("c2", "G1"), ("c1", "G3")]))
    (tmp_path / "out").mkdir()
    with np.load(names["predict"](task).save(tmp_path / "out", task)) as written:
        assert written["mean"].shape == task.query.X.shape
        assert np.allclose(written["mean"], task.train_delta().mean(axis=0))


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} → {target}"


def test_every_page_is_reachable_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {
        (index.parent / target).resolve() for target in re.findall(r"\]\(([^)#:]+)\)", index.read_text())
    }
    missing = {page for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in linked | {index}}
    assert not {page.relative_to(ROOT).as_posix() for page in missing}
