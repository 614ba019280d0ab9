"""The benchmarks: every job is found, one table and one JSON come out, a job that fails does not hide the others."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmarks(monkeypatch):
    """The package of the checkout, which is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.job

    return benchmarks


@pytest.fixture
def bench(tmp_path):
    """Run `python -m benchmarks …` in a folder that holds the package; returns how it ended, what it said, its JSON."""

    def run(*words, root=ROOT):
        out = tmp_path / "out.json"
        command = [sys.executable, "-m", "benchmarks", *words, "--json", str(out)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        return done, json.loads(out.read_text()) if out.is_file() else None

    return run


def test_every_job_of_the_issue_is_found_without_a_list(benchmarks):
    jobs = benchmarks.job.find_jobs()
    assert {"scperturbench", "perturbench", "million", "import"} <= set(jobs)
    assert any("celleval" in name or "cell-eval" in name for name in jobs)
    assert all(job.TITLE and callable(job.run) for job in jobs.values())


def test_a_quick_job_prints_a_table_and_writes_what_it_measured(bench):
    done, document = bench("--only", "scperturbench", "--quick")
    assert done.returncode == 0, done.stderr
    assert "20 × 50 cells, 100 genes" in done.stdout
    rows = document["jobs"]["scperturbench"]
    assert document["quick"]
    assert len(rows) == 2
    for row in rows:
        assert 0 < row["ours_cpu_s"] < 60
        assert row["ours_peak_mb"] > 20
        assert (row["peer_cpu_s"], row["ratio"], row["source"]) == (None, None, "alone")


def test_a_job_that_fails_is_named_and_the_others_are_still_told(bench, tmp_path):
    for name in ("__main__", "job", "measure"):
        (tmp_path / "benchmarks").mkdir(exist_ok=True)
        shutil.copy(ROOT / "benchmarks" / f"{name}.py", tmp_path / "benchmarks")
    write = 'NAME = "{name}"\nTITLE = "t"\nfrom benchmarks.job import Row\ndef run(quick):\n    {body}\n'
    row = "return [Row('x', 2.0, 2.0, 1.0, 'them', 8.0, None, 9.0, 'recorded')]"
    (tmp_path / "benchmarks" / "good.py").write_text(write.format(name="good", body=row))
    (tmp_path / "benchmarks" / "bad.py").write_text(
        write.format(name="bad", body="raise ValueError('no peer')")
    )
    done, document = bench(root=tmp_path)
    assert done.returncode == 1
    assert "bad failed: ValueError: no peer" in done.stderr
    assert "4.0×" in done.stdout
    assert document["failures"] == {"bad": "ValueError: no peer"}
    assert document["jobs"]["good"][0]["ratio"] == 4


def test_inputs_come_from_their_seed_alone(benchmarks, tmp_path):
    from benchmarks.scperturbench_inputs import read_inputs, write_inputs

    write_inputs(tmp_path / "a.npz", 5)
    inputs = read_inputs(tmp_path / "a.npz")
    assert [cells.shape for cells in inputs.observed.values()] == [(5, 2000)] * 20
    assert inputs.controls.shape == (400, 2000)
    hundredths = np.rint(inputs.controls.astype(np.float64) * 100)
    assert hashlib.sha256(hundredths.astype("<i2").tobytes()).hexdigest().startswith(CONTROLS)


CONTROLS = "80b2d755c6d70913"
"""Of the controls of the recorded reference's inputs, in hundredths."""


def test_a_line_through_costs_tells_its_slope_and_how_straight_they_are(benchmarks):
    from benchmarks.million import Line

    straight = Line.through([1000, 2000, 4000], [5.0, 7.0, 11.0])
    assert (straight.slope, straight.intercept, straight.r2) == pytest.approx((2, 3, 1))
    assert Line.through([1000, 2000, 3000], [1.0, 9.0, 2.0]).r2 < 0.1
