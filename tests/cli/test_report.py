"""`harness report atlas` and `suite`, and the page of `harness compare`."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def two_runs(run_harness):
    for name in ("zeros", "zeros@high"):
        done = run_harness("submit", "--no-controls", name)
        assert done.returncode == 0, done.stderr


def test_the_atlas_of_a_task_and_the_page_of_a_comparison(run_harness, project, two_runs):
    done = run_harness(
        "report", "atlas", "tiny:context_ood", "--out", "a.html", "--about", "GENE01+GENE02", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["methods"]] == ["zeros", "zeros/high"]
    assert told == json.loads((project / "a.json").read_text())
    assert len(told["answer"]["expected"]) == 2
    assert "<title>tiny:context_ood – skill atlas" in (project / "a.html").read_text()

    unknown = run_harness("report", "atlas", "tiny:context_ood", "--about", "GENE")
    assert unknown.returncode == 5
    assert "GENE" in unknown.stderr

    compared = run_harness(
        "compare",
        *(one["runs"][0] for one in told["methods"]),
        "--html",
        "c.html",
        "--markdown",
        "--metric",
        "calibrated.mse",
    )
    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.startswith("# ")
    assert (project / "c.html").read_text().startswith("<!doctype html>")


def test_without_a_run_there_is_no_atlas_and_without_a_report_no_page(run_harness, project):
    done = run_harness("report", "atlas", "tiny:context_ood")
    assert done.returncode != 0
    assert "no run of this task can be placed" in done.stderr
    lost = run_harness("report", "suite", str(project / "report.json"))
    assert lost.returncode != 0
    assert "no report yet" in lost.stderr
