"""`harness eval predictions`: scores without the model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.datasets.dataset import open_dataset
from harness.splits.store import SplitStore


@pytest.fixture
def hidden_rows(project):
    dataset = open_dataset(project / "data" / "tiny")
    rows = SplitStore(project / "splits").load("context_ood", "tiny").rows("val")
    return rows[~dataset.obs.is_control[rows]], dataset.meta.n_vars


def test_a_file_scores_as_it_did_in_its_run(run_harness, project):
    run = project / run_harness("submit", "zeros").stdout.strip().splitlines()[-1]
    done = run_harness(
        "eval", "predictions", "--data", "tiny", "--split", "context_ood",
        "--preds", str(run / "predictions.npz"), "--out", "scores",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "scores"
    assert (project / "scores" / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()
    assert (project / "scores" / "metrics.parquet").is_file()
    page = (project / "scores" / "scorecard.html").read_text()
    assert "a predictions file, scored without the model that made it" in page
    assert "not sealed" in page


def test_older_files_by_dataset_row_are_marked_on_screen_and_in_the_file(run_harness, project, hidden_rows):
    rows, n_genes = hidden_rows
    np.savez(project / "old.npz", mean=np.zeros((len(rows), n_genes), np.float32), idx=rows)
    words = ["eval", "predictions", "--task", "tiny:context_ood", "--preds", "old.npz", "--rows", "dataset"]
    done = run_harness(*words, "--out", "scores")
    assert done.returncode == 0, done.stderr
    assert "not ranked: not blinded" in done.stdout
    metrics = json.loads((project / "scores" / "metrics.json").read_text())
    assert metrics["predictions"]["blinded"] is False
    assert metrics["variance"]["source"] == "filled"


def test_refused_predictions_leave_no_folder(run_harness, project):
    np.savez(project / "bad.npz", mean=np.zeros((3, 3), np.float32), idx=np.arange(3))
    done = run_harness(
        "eval", "predictions", "--task", "tiny:context_ood", "--preds", "bad.npz", "--out", "scores"
    )
    assert done.returncode == 3
    assert "another number of" in done.stderr
    assert not (project / "scores").exists()


def test_scores_are_never_written_over(run_harness, project):
    (project / "scores").mkdir()
    (project / "scores" / "metrics.json").write_text("mine")
    done = run_harness(
        "eval", "predictions", "--task", "tiny:context_ood", "--preds", "x.npz", "--out", "scores"
    )
    assert done.returncode == 6
    assert (project / "scores" / "metrics.json").read_text() == "mine"
