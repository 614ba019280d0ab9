"""`harness gates`, `harness splits passport`, `harness audit`: what they refuse and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.digest import file_hash
from harness.verdicts.gates_case import Gate
from harness.verdicts.judge import VERDICT_FILE, Verdict

Run = Callable[..., Any]


def test_a_quick_look_was_not_judged(run_harness: Run, project: Path) -> None:
    assert run_harness("submit", "zeros", "--no-controls").returncode == 0
    said = run_harness("gates", "last")
    assert said.returncode == 3
    assert "not judged" in said.stderr
    assert "--no-controls" in said.stderr


def test_gates_are_shown_and_decide_the_exit_code(run_harness: Run, project: Path) -> None:
    assert run_harness("submit", "zeros", "--no-controls").returncode == 0
    run = next(path for path in (project / "runs").iterdir() if (path / "record.json").is_file())
    gates = (
        Gate("complete", "pass", 0.0, "every panel is whole"),
        Gate("canaries silent", "fail", 1e-4, "it read", holds=True),
    )
    (run / VERDICT_FILE).write_text(json.dumps(Verdict("calibrated.wmse", gates, None).document()))
    unknown = run_harness("gates", "last")
    assert unknown.returncode == 3
    assert "that its record does not know" in unknown.stderr
    record = json.loads((run / "record.json").read_text())
    record["files"][VERDICT_FILE] = file_hash(run / VERDICT_FILE)
    (run / "record.json").write_text(json.dumps(record))
    said = run_harness("gates", "last")
    assert said.returncode == 17
    assert "held: canaries silent: it read" in said.stdout
    told = json.loads(run_harness("gates", "last", "--json").stdout)
    assert told["held"]
    assert told["exit_code"] == 17
    assert [gate["state"] for gate in told["gates"]] == ["pass", "fail"]
    (run / VERDICT_FILE).write_text((run / VERDICT_FILE).read_text().replace("fail", "pass"))
    assert run_harness("gates", "last").returncode == 4


def test_passports_are_announced_before_they_are_made(run_harness: Run, project: Path) -> None:
    said = run_harness("splits", "passport", "tiny:context_ood", "--dry-run")
    assert said.returncode == 0
    assert "would be made and kept in" in said.stdout
    assert not (project / "splits" / "passports").exists()


def test_an_audit_lists_its_checks(run_harness: Run) -> None:
    said = run_harness("audit", "zeros", "--dry-run")
    assert said.returncode == 0
    assert "planted marker" in said.stdout


def test_an_unknown_check_is_answered_with_the_nearest(run_harness: Run) -> None:
    said = run_harness("audit", "zeros", "--check", "canaries")
    assert said.returncode == 5
    assert "canary" in said.stderr
