"""`harness compare`: what it shows, and what must not share a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.digest import file_hash
from harness.records.run_folder import open_run
from harness.verdicts.entrants import gather, other_runs


@pytest.fixture
def submitted(run_harness, project):
    """Runs `zeros` and returns the folder of the run."""

    def submit(*words: str) -> Path:
        done = run_harness("submit", "--no-controls", *words)
        assert done.returncode == 0, done.stderr
        return project / done.stdout.strip().splitlines()[-1]

    return submit


def changed(run: Path, name: str, **record: object) -> Path:
    """A copy of a run whose record says something else."""
    copy = run.parent / name
    shutil.copytree(run, copy)
    document = json.loads((copy / "record.json").read_text())
    document |= {"run": name, "attempt": name} | record
    (copy / "record.json").write_text(json.dumps(document))
    return copy


def test_submissions_are_compared_pair_by_pair(run_harness, submitted):
    first, second, other = submitted("zeros"), submitted("zeros", "--seed", "1"), submitted("zeros@high")
    told = run_harness("compare", first.name, second.name, other.name, "--metric", "calibrated.mse", "--json")
    document = json.loads(told.stdout)
    assert {one["name"]: one["seeds"] for one in document["submissions"]} == {"zeros": 2, "zeros/high": 1}
    (metric,) = document["metrics"]
    assert [one["name"] for one in metric["standings"]] == ["zeros", "zeros/high"]
    (pair,) = metric["pairs"]
    assert pair["ours"] == "zeros"
    assert pair["difference"]["low"] > 0
    assert pair["difference"]["method"] in ("Student's t", "bootstrap percentile")
    assert document["family"]["size"] == 1
    assert all("without controls" in one["reason"] for one in document["claims"])

    shown = run_harness("compare", str(first), other.name).stdout
    assert "calibrated.wmse ↓" in shown
    assert "one training seed" in shown
    assert "where a leak would not show: zeros, zeros/high" in shown
    assert "these contexts" in shown
    by_name = json.loads(run_harness("compare", "zeros", "--metric", "calibrated.mse", "--json").stdout)
    assert by_name["runs"] == {"zeros": [other.name]}


def test_seeds_and_results_that_are_left_out_are_found(submitted):
    """Who runs fifty seeds and brings three forward has chosen; the same predictions again are no choice."""
    run = submitted("zeros")
    name, other = run.name, {"predictions_sha256": "f" * 64}
    changed(run, f"{name}-2", seed=1)
    lucky = changed(run, f"{name}-3", seed=2, **other)
    again = changed(run, f"{name}-4", controls=True, **other)
    changed(run, f"{name}-5", controls=False, **other)
    changed(run, f"{name}-6", metrics_version=None, **other)
    (entrant,) = gather([open_run(run)])
    assert {one.path.name for one in other_runs(entrant, run.parent)} == {lucky.name, again.name}
    (both,) = gather([open_run(run), open_run(lucky)])
    assert other_runs(both, run.parent) == []


def test_what_must_not_share_a_table_is_refused(run_harness, submitted, project):
    run = submitted("zeros")
    name = run.name
    task = json.loads((run / "record.json").read_text())["task"]
    cases = {
        "the evaluation split differs": changed(run, f"{name}-2", task=task | {"eval_split": "test"}),
        "same training seed": changed(run, f"{name}-3"),
        "ended well": changed(run, f"{name}-4", status="held", reason="a leak"),
        "stand here twice": changed(
            run,
            f"{name}-5",
            attempt=json.loads((run / "record.json").read_text())["attempt"],
            rescored_from=name,
        ),
    }
    for reason, other in cases.items():
        done = run_harness("compare", name, other.name)
        assert done.returncode == 3, reason
        assert reason in done.stderr
        assert "mend" in done.stderr
    assert run_harness("compare", name, "--metric", "retrieval_headroom").returncode == 3
    assert run_harness("compare", name, "--metric", "wmsee").returncode == 5
    assert run_harness("compare", name, "--control", "global_mean").returncode == 3


def test_results_of_other_versions_of_a_metric_are_refused(run_harness, submitted):
    run = submitted("zeros")
    other = changed(run, f"{run.name}-2", files={})
    metrics = json.loads((other / "metrics.json").read_text())
    metrics["versions"]["metrics"]["calibrated"]["wmse"] = "0" * 12
    (other / "metrics.json").write_text(json.dumps(metrics))
    record = json.loads((other / "record.json").read_text())
    record["files"] = {"metrics.json": file_hash(other / "metrics.json")}
    (other / "record.json").write_text(json.dumps(record))
    done = run_harness("compare", run.name, other.name)
    assert done.returncode == 3
    assert "different versions of a metric" in done.stderr
