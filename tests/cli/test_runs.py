"""`harness runs`: list, show, prune."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def run(run_harness, project):
    return project / run_harness("submit", "zeros").stdout.strip().splitlines()[-1]


def test_an_empty_folder_lists_nothing(run_harness):
    assert json.loads(run_harness("runs", "list", "--json").stdout) == []
    assert "nothing yet" in run_harness("runs", "list").stdout


def test_a_run_is_listed_and_shown(run_harness, run):
    (entry,) = json.loads(run_harness("runs", "list", "--json").stdout)
    assert entry["run"] == run.name
    assert entry["scores"]["calibrated"]["wmse"]["value"] > 0
    assert run.name in run_harness("runs", "list").stdout
    shown = run_harness("runs", "show", "last")
    assert "wmse" in shown.stdout
    isolation = json.loads(run_harness("runs", "show", "last", "--json").stdout)["record"]["isolation"]
    assert f"{isolation} (runtime process)" in " ".join(shown.stdout.split())


def test_a_run_with_a_changed_byte_is_not_shown(run_harness, run):
    path = run / "metrics.json"
    path.write_text(path.read_text().replace("true", "false", 1))
    done = run_harness("runs", "show", run.name)
    assert done.returncode == 4
    assert "metrics.json" in done.stderr


def test_what_is_half_made_is_neither_listed_nor_shown(run_harness, run, project):
    half = project / "runs" / run.name.replace("zeros", "half")
    half.mkdir()
    (half / "config.json").write_text("{}")
    assert len(json.loads(run_harness("runs", "list", "--json").stdout)) == 1
    assert run_harness("runs", "show", half.name).returncode == 5
    assert run_harness("runs", "show", str(half)).returncode == 3


def test_prune_shows_before_it_removes(run_harness, run, project):
    step = project / "runs" / ".steps" / ("0" * 16)
    step.mkdir()
    told = json.loads(run_harness("runs", "prune", "--dry-run", "--json").stdout)
    assert [piece["removed"] for piece in told] == [False]
    assert step.exists()
    run_harness("runs", "prune")
    assert not step.exists()
    assert run.exists()
