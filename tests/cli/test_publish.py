"""`harness publish` and `harness preview`: from runs to a site, and what is said on the way."""

from __future__ import annotations

import json


def test_a_board_is_published_from_the_projects_runs(run_harness, project):
    assert run_harness("submit", "zeros").returncode == 0
    tried = run_harness("publish", "--out", "site", "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "nothing was written" in tried.stdout
    assert not (project / "site").exists()
    done = run_harness("publish", "--out", "site", "--json")
    told = json.loads(done.stdout)
    counts = {"test": 0, "ranked": 0, "validation": 1, "without a score": 0}
    assert told["tasks"] == {"tiny:context_ood": counts}
    page = (project / "site" / "index.html").read_text()
    assert "zeros" in page
    assert "context_ood" in page, "the regime, known from the split store"
    assert (project / "site" / "scorecards").is_dir()


def test_without_runs_or_a_site_there_is_one_clear_error(run_harness, project):
    none = run_harness("publish", "--out", "site")
    assert none.returncode == 3
    assert "there is no run to publish" in none.stderr
    assert run_harness("preview", "site", "--port", "0").returncode == 3
    assert not (project / "site").exists()
