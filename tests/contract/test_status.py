"""The ways a run can end."""

from __future__ import annotations

import pytest

from harness.contract.ending import RunEnding
from harness.contract.status import RunStatus
from harness.errors import ExitCode, HarnessError


def test_every_status_has_an_exit_code_of_its_own_and_a_meaning() -> None:
    codes = [status.exit_code for status in RunStatus]
    assert len(set(codes)) == len(codes)
    assert all(status.meaning for status in RunStatus)


def test_only_ok_tells_the_shell_that_all_went_well() -> None:
    assert [status for status in RunStatus if status.exit_code == 0] == [RunStatus.OK]


def test_no_status_shares_its_exit_code_with_a_refused_input() -> None:
    refused = {int(code) for code in ExitCode} - {ExitCode.OK}
    assert refused.isdisjoint(status.exit_code for status in RunStatus)


def test_an_ending_that_is_not_ok_says_why() -> None:
    assert RunEnding.read({"status": "ok"}, where="record").reason is None
    ended = RunEnding.read({"status": "timeout", "reason": "30 minutes were over"}, where="record")
    assert ended.status is RunStatus.TIMEOUT
    with pytest.raises(HarnessError, match="a run that ended as held needs a reason"):
        RunEnding.read({"status": "held"}, where="record")


def test_an_unknown_status_is_refused_with_those_that_exist() -> None:
    with pytest.raises(HarnessError, match="'ok', 'declined', 'invalid'"):
        RunEnding.read({"status": "crashed", "reason": "?"}, where="record")
