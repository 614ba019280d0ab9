"""`harness score` and `harness rescore`: numbers again, from a run or a file, whole or in shards."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def run(run_harness, project):
    return project / run_harness("submit", "zeros").stdout.strip().splitlines()[-1]


def test_a_run_scores_again_to_the_same_bytes_and_stays_as_it_is(run_harness, project, run):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    done = run_harness("score", "last", "--out", "scores", "--panel", "collapse")
    assert done.returncode == 0, done.stderr
    assert "variance_ratio" in done.stdout
    for file in ("metrics.json", "calibration.json"):
        assert (project / "scores" / file).read_bytes() == before[file]
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_shards_put_together_are_the_bytes_of_the_run(run_harness, project, run):
    words = ["score", str(run / "predictions.npz"), "--task", "tiny:context_ood"]
    for shard in ("2", "1"):
        done = run_harness(*words, "--shards", "2", "--shard", shard, "--out", "parts")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"parts/shard-{shard}-of-2"
    done = run_harness(*words, "--reduce", "parts", "--out", "scores")
    assert done.returncode == 0, done.stderr
    assert (project / "scores" / "metrics.json").read_bytes() == (run / "metrics.json").read_bytes()


def test_a_shard_that_is_missing_is_named(run_harness, run):
    words = ["score", "last", "--shards", "2", "--shard", "1", "--out", "parts"]
    assert run_harness(*words).returncode == 0
    done = run_harness("score", "last", "--reduce", "parts")
    assert done.returncode == 3
    assert "in no shard" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--shard", "1"],
        ["--shards", "2", "--shard", "1"],
        ["--shards", "2", "--shard", "3", "--out", "parts"],
        ["--reduce", "parts", "--shards", "2"],
    ],
)
def test_half_a_shard_request_is_a_usage_error(run_harness, words):
    assert run_harness("score", "last", *words).returncode == 2


def test_an_empty_folder_of_shards_is_refused(run_harness, run, project):
    (project / "parts").mkdir()
    done = run_harness("score", "last", "--reduce", "parts")
    assert done.returncode == 3
    assert "no shards" in done.stderr


def test_an_unknown_panel_is_answered_with_the_nearest(run_harness):
    done = run_harness("score", "last", "--panel", "colapse")
    assert done.returncode == 5
    assert "collapse" in done.stderr


def test_changed_predictions_of_a_run_are_refused(run_harness, run):
    path = run / "predictions.npz"
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    for verb in ("score", "rescore"):
        assert run_harness(verb, "last").returncode == 4


def test_rescore_makes_a_new_run_beside_the_old_one(run_harness, project, run):
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    done = run_harness("rescore", run.name, "--json")
    assert done.returncode == 0, done.stderr
    made = project / json.loads(done.stdout)["path"]
    assert made.parent == run.parent
    assert made != run
    record = json.loads((made / "record.json").read_text())
    old = json.loads(before["record.json"])
    assert record["rescored_from"] == run.name
    assert record["run"] == made.name
    assert record["predictions_sha256"] == old["predictions_sha256"]
    assert record["attempt"] == old["attempt"]
    assert (made / "metrics.json").read_bytes() == before["metrics.json"]
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    assert run_harness("runs", "show", made.name).returncode == 0


def test_a_run_without_stored_predictions_cannot_be_scored(run_harness):
    assert run_harness("submit", "zeros", "--discard-predictions").returncode == 0
    done = run_harness("score", "last")
    assert done.returncode == 3
    assert "only their hash" in done.stderr


def test_a_run_that_was_never_scored_cannot_be_scored_now(run_harness, project):
    code = """
import os
import numpy as np

def submission(task):
    shape = task.query.X.shape
    np.savez(os.environ["HARNESS_OUTPUT"] + "/predictions.npz", mean=np.zeros(shape, np.float32), idx=np.arange(shape[0]))
    os._exit(3)
"""
    (project / "submissions" / "zeros" / "main.py").write_text(code)
    assert run_harness("submit", "zeros").returncode == 12
    for verb in ("score", "rescore"):
        done = run_harness(verb, "last")
        assert done.returncode == 3
        assert "never scored" in done.stderr


@pytest.mark.long
def test_a_run_that_was_judged_is_judged_again(run_harness, project):
    first = run_harness("submit", "zeros", "--controls", "--json")
    assert first.returncode in (0, 17), first.stderr
    done = run_harness("rescore", "last", "--json")
    assert done.returncode == 0, done.stderr
    made, old = (project / json.loads(one.stdout)["path"] for one in (done, first))
    for file in ("controls.json", "verdict.json"):
        assert (made / file).read_bytes() == (old / file).read_bytes()
    records = [json.loads((path / "record.json").read_text()) for path in (made, old)]
    assert [record["controls"] for record in records] == [True, True]
    assert records[0]["status"] == records[1]["status"]
    assert run_harness("verify", "last").returncode == 0
