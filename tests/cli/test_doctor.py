"""`harness doctor` on the command line: tables or JSON, and an exit code that says whether what was asked for works."""

from __future__ import annotations

import json

from harness.cli.doctor import complete_check


def test_what_is_asked_for_by_name_is_told_as_json(run_harness):
    done = run_harness("doctor", "local", "python", "--json")
    told = json.loads(done.stdout)
    assert [(each["kind"], each["name"], each["works"]) for each in told] == [
        ("scheduler", "local", True),
        ("machine", "python", True),
    ]
    assert set(told[0]) == {"kind", "name", "works", "version", "facts", "reason", "mend", "seconds"}


def test_a_named_engine_that_does_not_work_is_exit_code_15_with_reason_and_mend(
    run_harness, monkeypatch, tmp_path
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    done = run_harness("doctor", "docker")
    assert done.returncode == 15
    assert "nobody.sock: No such file or directory" in done.stdout
    assert "DOCKER_HOST" in done.stdout


def test_an_unknown_name_is_refused_with_the_nearest(run_harness):
    done = run_harness("doctor", "dokcer")
    assert done.returncode == 5
    assert "did you mean 'docker'" in done.stderr


def test_names_are_completed():
    assert complete_check("pod") == ["podman"]
