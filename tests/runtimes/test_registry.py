"""Runtimes are found by their files; strict isolation is never stepped down from."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError, UnknownNameError
from harness.runtimes.registry import choose_runtime, runtimes


def test_the_process_runtime_is_found_without_a_list():
    assert "process" in runtimes()


def test_strict_isolation_is_refused_where_there_is_no_sandbox(unconfined):
    with pytest.raises(HarnessError, match="strict isolation") as refusal:
        choose_runtime("process", "strict")
    assert "process+limits" in str(refusal.value)


def test_an_unknown_runtime_names_the_nearest():
    with pytest.raises(UnknownNameError, match="process"):
        choose_runtime("proces", "auto")
