"""The board of this repository is what its records give, and the records are of what stands here today."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from harness.records.run_folder import list_runs
from harness.reporting.board.current import Today, outdated
from harness.reporting.board.publish import compile_site, publish
from harness.splits.store import SplitStore

ROOT = Path(__file__).parents[3]
REPORTS = ROOT / "reports"
KEPT = sorted(path.parent for path in (REPORTS / "records").glob("*/record.json"))
needs_records = pytest.mark.skipif(not KEPT, reason="no record is committed yet")


@pytest.fixture
def make() -> ModuleType:
    """`reports/make.py` as a module."""
    spec = importlib.util.spec_from_file_location("reports_make", REPORTS / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plan_names_submissions_and_tasks_that_exist(make):
    now = make.today()
    plan = list(make.wanted(tomllib.loads((REPORTS / "board.toml").read_text())))
    assert {one.submission for one in plan} <= set(now.contents)
    assert {one.task for one in plan} <= set(now.splits)
    assert len(set(plan)) == len(plan)


def test_a_record_of_yesterday_is_told(made, runs):
    made("mine")
    (run,) = list_runs(runs)
    record = run.record
    now = Today({"mine": "c" * 64}, {"demo:context_ood": "5" * 64}, "3" * 64)
    assert outdated(record, now) is None
    assert "has changed since" in outdated(record, Today({"mine": "e" * 64}, now.splits, now.metrics_version))
    assert "split" in outdated(
        record, Today(now.contents, {"demo:context_ood": "6" * 64}, now.metrics_version)
    )
    assert "metrics" in outdated(record, Today(now.contents, now.splits, "4" * 64))
    assert "no submission" in outdated(record, Today({}, now.splits, now.metrics_version))


@needs_records
def test_the_committed_records_are_of_today(make):
    now = make.today()
    told = {run.path.name: outdated(run.record, now) for run in list_runs(REPORTS / "records")}
    assert {name: why for name, why in told.items() if why} == {}, "make board makes them anew"


@needs_records
def test_the_committed_site_is_what_the_records_give(tmp_path):
    title = tomllib.loads((REPORTS / "board.toml").read_text())["title"]
    publish(compile_site(KEPT, splits=SplitStore(ROOT / "splits"), title=title), tmp_path / "site")
    made = {
        path.relative_to(tmp_path / "site"): path for path in (tmp_path / "site").rglob("*") if path.is_file()
    }
    kept = {
        path.relative_to(REPORTS / "site"): path for path in (REPORTS / "site").rglob("*") if path.is_file()
    }
    assert made.keys() == kept.keys()
    assert [str(name) for name in made if made[name].read_bytes() != kept[name].read_bytes()] == [], (
        "make board"
    )
