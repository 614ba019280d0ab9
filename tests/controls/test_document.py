"""The controls of a run folder are read back as they were written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.controls.catalogue import CONTROLS
from harness.controls.control_set import ControlScore, ControlSet
from harness.controls.document import CONTROLS_FILE, read_controls, write_controls


@pytest.fixture(scope="module")
def folder(controls, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    none = ControlScore(CONTROLS["canary"], reason="this task has no canaries")
    write_controls(folder, controls | ControlSet({"canary": none}), controls["ridge"].tables[0])
    return folder


def test_what_is_read_is_what_was_written(folder, controls):
    read = read_controls(folder)
    assert set(read.scores) == {*controls.scores, "canary"}
    for one in controls:
        other = read[one.card.name]
        assert other.card == one.card
        assert other.labels == one.labels
        assert dict(other.numbers) == dict(one.numbers)
        for a, b in zip(one.tables, other.tables, strict=True):
            assert a.conditions == b.conditions
            for metric, column in a.values.items():
                assert np.array_equal(column, b.values[metric], equal_nan=True), metric
            for metric, value in a.overall.items():
                assert np.array_equal(value, b.overall[metric], equal_nan=True), metric
    assert read["canary"].reason == "this task has no canaries"
    assert not read["canary"].tables


def test_the_document_has_anchors_beside_every_scaled_score(folder):
    document = json.loads((folder / CONTROLS_FILE).read_text())
    found = document["scaled"]["calibrated.wmse"]
    assert set(found) == {"raw", "negative", "positive", "positive_sd", "scaled", "reason"}
    again = (found["raw"] - found["negative"]) / (found["positive"] - found["negative"])
    assert found["scaled"] == pytest.approx(again)
    assert "the other half of the cells" in document["scaled_note"]
    assert document["controls"]["technical_duplicate"]["sd"]["calibrated.wmse"] > 0
    assert document["controls"]["oracle"]["replicates"] == ["effects", "cells", "forecasts"]


def test_a_folder_without_controls_has_none(tmp_path):
    assert read_controls(tmp_path) is None
