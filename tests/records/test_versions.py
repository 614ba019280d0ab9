"""Versions of metrics: what differs is named, and never shares a table."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.errors import HarnessError
from harness.records.versions import differing_metrics, refuse_mixed_versions, version_of


def document(wmse="a", semantics="1"):
    metrics = {"calibrated": {"wmse": wmse, "retrieval": "r"}, "collapse": {"flag": "f"}}
    return {"versions": {"code": "any", "metrics": metrics, "semantics": {"celleval": semantics}}}


def run(metrics):
    return SimpleNamespace(metrics=lambda: metrics, path=SimpleNamespace(name="run"))


def test_the_version_of_a_document_is_that_of_its_metrics_not_of_other_code():
    other_code = document() | {"versions": document()["versions"] | {"code": "other"}}
    assert version_of(document()) == version_of(other_code)
    assert len({version_of(document()), version_of(document("b")), version_of(document(semantics="2"))}) == 3


def test_metrics_that_are_defined_otherwise_are_named():
    assert differing_metrics([document(), document("b")]) == ["calibrated.wmse"]
    assert differing_metrics([document(), document("b")], ["calibrated.retrieval"]) == []


def test_results_of_different_versions_share_no_table():
    refuse_mixed_versions([run(document()), run(document())])
    refuse_mixed_versions([run(document()), run(document("b"))], ["collapse.flag"])
    with pytest.raises(HarnessError, match="never share a table") as refused:
        refuse_mixed_versions([run(document()), run(document("b"))])
    assert "calibrated.wmse" in str(refused.value)
