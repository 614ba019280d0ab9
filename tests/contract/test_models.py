"""Records: frozen, closed, and read by their types."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from harness.contract.manifest import Submission
from harness.contract.models import Record
from harness.errors import HarnessError


class Dose(Record):
    amount: float
    unit: Literal["nM", "uM"]


class Assay(Record):
    cells: int
    doses: list[Dose] = []
    by_name: dict[str, Dose] = {}
    either: int | list[str] | None = None


def refusal(document: object) -> str:
    with pytest.raises(HarnessError) as caught:
        Assay.read(document, where="assay.json")
    return str(caught.value)


def test_whole_numbers_may_stand_for_decimal_ones_but_text_may_not() -> None:
    assert Dose.read({"amount": 3, "unit": "nM"}, where="x").amount == 3.0
    assert "cells: expected a valid integer, got '3'" in refusal({"cells": "3"})
    assert "cells: expected a valid integer, got True" in refusal({"cells": True})


def test_a_fault_deep_in_lists_and_tables_is_named_by_its_place() -> None:
    said = refusal(
        {
            "cells": 1,
            "doses": [{"amount": 1, "unit": "nM"}, {"amount": 2, "unit": "mg"}],
            "by_name": {"a": {}},
        }
    )
    assert "doses.1.unit: expected 'nM' or 'uM', got 'mg'" in said
    assert "by_name.a.amount is missing" in said
    assert "3 faults" in said


def test_a_union_that_fits_nowhere_is_one_sentence() -> None:
    said = refusal({"cells": 1, "either": 2.5})
    assert "1 fault\n" in said
    assert "either: expected a valid integer or a valid array, got 2.5" in said


def test_a_long_value_is_shown_short() -> None:
    assert len(refusal({"cells": "x" * 10_000})) < 400


def test_a_refusal_says_where_its_fields_are_told() -> None:
    assert "schemas/" not in refusal({})
    with pytest.raises(HarnessError) as caught:
        Submission.read({}, where="submission.toml")
    assert caught.value.mend == "see schemas/submission.schema.json"
    with pytest.raises(HarnessError, match="ask the importer"):
        Assay.read({}, where="x", mend="ask the importer")


def test_a_document_is_json_and_reads_back() -> None:
    assay = Assay.read({"cells": 2, "doses": [{"amount": 0.1, "unit": "uM"}]}, where="x")
    assert Assay.read(json.loads(json.dumps(assay.document())), where="y") == assay
