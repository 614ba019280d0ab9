"""The table of rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets.obs import Condition, Labels, Obs, number_text
from harness.errors import HarnessError


@settings(max_examples=200, derandomize=True)
@given(st.floats(allow_nan=False))
def test_a_number_reads_back_from_its_text(value: float) -> None:
    assert float(number_text(value)) == value if np.isfinite(value) else number_text(value) in ("inf", "-inf")


def test_whole_numbers_have_no_point() -> None:
    assert [number_text(v) for v in (10.0, 0.5, -3.0)] == ["10", "0.5", "-3"]


@pytest.mark.parametrize("name", ["", "a\tb", "a\nb", "a\0b", "a\u2028b"])
def test_names_that_cannot_stand_in_a_table_are_refused(name: str) -> None:
    with pytest.raises(HarnessError, match="cannot stand in a table"):
        Labels.of(["fine", name])


def test_rows_without_a_name_are_refused_with_the_first() -> None:
    with pytest.raises(HarnessError, match="2 of 4 rows have no name") as refused:
        Labels.of(pa.array(["a", None, "b", None]))
    assert refused.value.got == "first in row 1"


@pytest.mark.parametrize("form", ["plain", "chunked", "dictionary"])
def test_labels_are_the_same_from_every_arrow_form(form: str) -> None:
    plain = pa.array(["b", "a", "b"])
    forms = {"plain": plain, "chunked": pa.chunked_array([plain]), "dictionary": plain.dictionary_encode()}
    labels = Labels.of(forms[form])
    assert labels.levels == ("a", "b")
    assert labels.codes.tolist() == [1, 0, 1]
    assert labels.to_arrow().to_pylist() == ["b", "a", "b"]


def test_conditions_are_context_perturbation_and_intervention_and_leave_controls_out() -> None:
    obs = Obs(
        Labels.of(["A", "A", "A", "control", "B"]),
        Labels.of(["x", "x", "x", "x", "y"]),
        Labels.of(["b"] * 5),
        np.zeros(5, np.uint8),
        np.array([False, False, False, True, False]),
        {"dose": np.array([1.0, 10.0, 1.0, np.nan, 0.5]), "donor": Labels.of(list("uvuvu"))},
        ("dose",),
    )
    conditions = obs.conditions()
    assert conditions.table == (
        Condition("x", "A", ("1",)),
        Condition("x", "A", ("10",)),
        Condition("y", "B", ("0.5",)),
    )
    assert conditions.of_row.tolist() == [0, 1, 0, -1, 2]
    assert conditions.n_rows.tolist() == [2, 1, 1]
    assert conditions.rows(0).tolist() == [0, 2]
    assert str(conditions.table[0]) == "x · A · 1"
