"""`harness suite`: one report, a verdict on every declared claim, and no run twice."""

from __future__ import annotations

import json

import pytest

from harness.records.run_folder import list_runs

SUITE = """
schema = 1
name = "small"
title = "A small suite"
controls = false
seeds = 2
metrics = ["calibrated.mse", "calibrated.retrieval"]
tasks = ["tiny:context_ood", {name = "lost", dataset = "nowhere", regime = "context_ood"}]
submissions = ["zeros", "zeros@high", {name = "once", submission = "zeros", params = {level = 2.0}, seeds = 1}]

[[claims]]
name = "order"
says = "zeros is ahead of zeros@high on calibrated.mse in tiny:context_ood"
[[claims]]
name = "level"
says = "a level of zero helps zeros over zeros@high on calibrated.mse in tiny:context_ood"
[[claims]]
name = "lost"
says = "zeros beats zeros@high on calibrated.mse in lost"
[[claims]]
name = "best"
says = "zeros beats best baseline on calibrated.mse in tiny:context_ood"

[[gates]]
name = "G1"
title = "zeros goes on"
all = ["order", "lost"]

[[ablations]]
model = "zeros"
without = ["zeros@high", "once"]
tasks = ["tiny:context_ood"]

[data_efficiency]
tasks = ["tiny:context_ood"]
submissions = ["zeros"]
fractions = [0.5, 1.0]
metric = "calibrated.mse"
"""


@pytest.fixture
def suite(project):
    path = project / "small.toml"
    path.write_text(SUITE)
    return path


def test_a_suite_runs_each_run_once_and_reports_what_it_can_and_cannot_decide(run_harness, project, suite):
    quick = run_harness("suite", "run", "small.toml", "--quick", "--jobs", "2")
    assert quick.returncode == 0, quick.stderr
    assert "lost: not here" in quick.stdout
    page = project / "runs/.suites/small/report.md"
    assert "every verdict is descriptive" in page.read_text()
    assert "every verdict is descriptive" in page.with_suffix(".html").read_text()
    assert len(list_runs(project / "runs")) == 4  # 3 submissions, and one on half of the cells

    done = run_harness("suite", "run", "small.toml", "--jobs", "2", "--out", "reports/small")
    assert done.returncode == 0, done.stderr
    runs = list_runs(project / "runs")
    assert len(runs) == 2 + 2 + 1 + 2
    assert len({run.record.config_hash for run in runs}) == len(runs)
    told = json.loads((project / "reports/small/report.json").read_text())
    claims = {claim["name"]: claim for claim in told["claims"]}
    assert {name: claim["verdict"] for name, claim in claims.items()} == {
        "order": "supported", "level": "not decidable", "lost": "not decidable", "best": "not decidable",
    }  # fmt: skip
    assert "nowhere is not in data" in claims["lost"]["reason"]
    assert "passport" in claims["level"]["reason"]
    assert "controls" in claims["best"]["reason"]
    assert claims["order"]["genes"] == ["64 genes (all)"]
    assert claims["order"]["comparisons"][0]["difference"]["n"] > 0
    assert told["gates"][0]["answer"] == "not decidable"
    (ablation,) = told["ablations"]
    assert [row["without"] for row in ablation["rows"]] == ["zeros@high", "once"]
    assert all(row["interval"]["estimate"] > 0 and row["q"] < 0.05 for row in ablation["rows"])
    assert [row["fraction"] for row in told["data_efficiency"]] == [0.5, 1.0]
    assert told["tasks"][1]["missing"]
    assert "A small suite" in (project / "reports/small/report.md").read_text()

    status = json.loads(run_harness("suite", "status", "small.toml", "--json").stdout)
    assert (status["finished"], status["counts"]) == (True, {"ok": 7})
    assert json.loads(run_harness("suite", "report", "small.toml", "--json").stdout) == told
    again = json.loads(run_harness("suite", "run", "small.toml", "--dry-run", "--json").stdout)
    assert (again["left"], again["estimate"]["sentence"]) == ([], "0 runs: everything stands already")


def test_a_run_that_failed_is_told_and_its_claims_cannot_be_decided(run_harness, project, suite):
    (project / "submissions/zeros/main.py").write_text("def submission(task): raise ValueError('oh')")
    suite.write_text(SUITE.partition("[data_efficiency]")[0].replace("seeds = 2", "seeds = 1", 1))
    done = run_harness("suite", "run", "small.toml")
    assert done.returncode == 12
    told = json.loads((project / "runs/.suites/small/report.json").read_text())
    assert {claim["verdict"] for claim in told["claims"]} == {"not decidable"}
    assert "failed" in told["claims"][0]["reason"]
    dry = ("suite", "run", "small.toml", "--dry-run", "--json")
    assert json.loads(run_harness(*dry).stdout)["left"] == []
    assert len(json.loads(run_harness(*dry, "--retry").stdout)["left"]) == 3


def test_a_submission_that_is_not_here_is_refused_unless_it_is_optional(run_harness, suite):
    entry = '{name = "later", submission = "later"}, "zeros@high"'
    suite.write_text(SUITE.replace('"zeros@high", {', entry + ", {"))
    done = run_harness("suite", "status", "small.toml")
    assert done.returncode == 5
    assert "unknown submission 'later'" in done.stderr
    suite.write_text(suite.read_text().replace('"later"}', '"later", optional = true}'))
    done = run_harness("suite", "status", "small.toml")
    assert done.returncode == 0
    assert "later is not here" in done.stderr


def test_a_suite_of_which_no_dataset_is_here_is_refused(run_harness, suite):
    suite.write_text(
        SUITE.replace(
            '"tiny:context_ood", {name = "lost"',
            '{name = "tiny:context_ood", dataset = "x", regime = "iid"}, {name = "lost"',
        )
    )
    done = run_harness("suite", "run", "small.toml")
    assert done.returncode == 3
    assert "none of the datasets is here" in done.stderr


def test_a_suite_looks_at_validation_alone(run_harness, project, suite):
    suite.write_text('eval_split = "test"\n' + SUITE)
    done = run_harness("suite", "run", "small.toml")
    assert done.returncode == 3
    assert "unknown key 'eval_split'" in done.stderr
