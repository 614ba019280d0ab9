"""The page of a suite shows what its report.json says, and nothing else."""

from __future__ import annotations

from typing import Any

from harness.reporting.suite_page import page

HOSTILE = "<img src=x onerror=alert(1)>"


def report() -> dict[str, Any]:
    """A small report with everything that one can have."""
    interval = {"estimate": 0.25, "low": 0.125, "high": 0.375, "n": 9}

    def row(name: str, value: float | None, kind: str = "submission") -> dict[str, Any]:
        score = {
            "value": value,
            "sd": None,
            "scaled": None,
            "reason": None if value is not None else "not finished",
        }
        return {
            "name": name, "kind": kind, "runs": ["r1"] if kind == "submission" else [], "missing": None,
            "gates_failed": ["calibrated"], "scores": {"calibrated.mse": score},
            "against_best_baseline": {"calibrated.mse": {"baseline": "ridge", "difference": interval}},
        }  # fmt: skip

    return {
        "schema": 1, "suite": "small", "title": HOSTILE, "eval_split": "val", "seeds": 3, "quick": False,
        "runs": {"cells": 4, "ok": 3, "left": 1},
        "tasks": [
            {"task": "a:b", "missing": None, "genes": "64 genes", "undecidable": [],
             "rows": [row("worse", 0.75), row("none", None), row("best", 0.5), row("control", 0.625, "control")]},
            {"task": "lost", "missing": "its dataset is not here", "genes": "", "undecidable": [], "rows": []},
        ],
        "ablations": [{"model": "m", "rows": [
            {"task": "a:b", "metric": "calibrated.mse", "model": "m", "without": HOSTILE, "interval": interval, "q": 0.01,
             "reason": None}]}],
        "data_efficiency": [
            {"task": "a:b", "entry": "m", "fraction": 0.5, "value": 0.9, "gain": None, "reason": None},
            {"task": "a:b", "entry": "m", "fraction": 1.0, "value": 0.8, "gain": interval, "reason": None}],
        "claims": [{"name": "one", "says": "m beats n", "verdict": "not decidable", "reason": "no", "genes": [],
                    "comparisons": []}],
        "verdicts": {"supported": 0, "not decidable": 1},
        "gates": [{"name": "G1", "title": "go on", "answer": "no-go", "reasons": ["because"], "claims": [], "note": None}],
        "audits": {"m": None, "n": {"findings": [{"check": "canaries", "state": "pass", "reason": "silent"}]}},
    }  # fmt: skip


def test_every_part_is_on_the_page_and_hostile_words_stay_words():
    told = page(report())
    assert HOSTILE not in told
    for said in (
        "no-go",
        "m beats n",
        "not decidable",
        "its dataset is not here",
        "canaries: pass",
        "+0.250",
        "50",
    ):
        assert said in told


def test_the_best_stands_first_and_who_has_no_value_last():
    told = page(report())
    places = [told.index(f">{name}</bdi>") for name in ("best", "control", "worse", "none")]
    assert places == sorted(places)
    assert "not finished" in told


def test_an_older_report_lacks_parts_and_still_has_its_page():
    document = report()
    for part in ("audits", "gates", "ablations", "data_efficiency"):
        del document[part]
    assert page(document) == page(document)
