"""Every runtime tells the ways of ending apart in the same words."""

from __future__ import annotations

import pytest

from harness.contract.status import RunStatus


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "words"),
    [
        ("pass", RunStatus.OK, 0, "ended normally"),
        ("print('the reason'); sys.exit(7)", RunStatus.FAILED, 7, "exit code 7: the reason"),
        ("raise ValueError('no such gene')", RunStatus.FAILED, 1, "ValueError: no such gene"),
        ("sys.exit(69)", RunStatus.ENVIRONMENT, 69, "exit code 69"),
    ],
    ids=["ok", "exit code", "crash", "missing package"],
)
def test_an_ending_has_its_status_its_code_and_its_reason(run, code, status, exit_code, words):
    outcome = run(code).outcome
    assert (outcome.status, outcome.exit_code) == (status, exit_code)
    assert words in outcome.detail
