"""Predictions that are accepted, and how the refusal of others reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.show import print_error
from harness.contract.faults import PredictionsRefused
from harness.contract.listing import inspect, listing
from harness.contract.predictions import Expected, PredictionsFile, open_predictions
from harness.digest import file_hash

Arrays = dict[str, np.ndarray[Any, Any]]


def arrays_of(n_query: int, n_genes: int, seed: int = 3) -> Arrays:
    rng = np.random.default_rng(seed)
    var = rng.uniform(0.25, 4, (n_query, n_genes)).astype(np.float32)
    return {
        "mean": rng.normal(size=(n_query, n_genes)).astype(np.float32),
        "var": var,
        "idx": rng.permutation(n_query).astype(np.int64),
        "epistemic": var * np.float32(0.5),
        "supported": rng.integers(0, 3, n_query).astype(np.uint8),
    }


def save(path: Path, arrays: Arrays, form: str) -> Path:
    if form == "folder":
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
        return path
    (np.savez if form == "stored" else np.savez_compressed)(path, **arrays)
    return path


def refused(path: Path, expected: Expected) -> PredictionsRefused:
    with pytest.raises(PredictionsRefused) as caught:
        open_predictions(path, expected)
    return caught.value


@st.composite
def valid(draw: st.DrawFn) -> tuple[Arrays, Arrays]:
    """Arrays as they are meant, and the same as a producer may write them."""
    meant = arrays_of(draw(st.integers(1, 40)), draw(st.integers(1, 30)), draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        del meant["epistemic"]
        if draw(st.booleans()):
            del meant["var"]
    if draw(st.booleans()):
        del meant["supported"]
    written: Arrays = {}
    for name, array in meant.items():
        kinds = {"idx": ["<i8", ">i8", "<i4", "<u2", "|u1"], "supported": ["|u1", "|i1", ">i4", "<u8"]}
        dtype = draw(st.sampled_from(kinds.get(name, ["<f4", ">f4", "<f8", ">f8", "<f2"])))
        written[name] = array.astype(dtype, order=draw(st.sampled_from("CF")))
        meant[name] = written[name].astype(array.dtype)
    names = draw(st.permutations(list(written)))
    return meant, {name: written[name] for name in names}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=valid(), form=st.sampled_from(["stored", "compressed", "folder"]))
def test_what_is_written_by_the_rules_is_read_back_value_by_value(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[Arrays, Arrays], form: str
) -> None:
    meant, written = case
    path = save(tmp_path_factory.mktemp("valid") / "predictions.npz", written, form)
    n_query, n_genes = meant["mean"].shape
    found = open_predictions(path, Expected(n_query, n_genes, var_required="var" in meant))
    for name in ("mean", "var", "idx", "epistemic", "supported"):
        array = getattr(found, name)
        if name not in meant:
            assert array is None
            continue
        assert array.dtype == {"idx": "int64", "supported": "uint8"}.get(name, "float32")
        np.testing.assert_array_equal(array, meant[name])
    np.testing.assert_array_equal(found.idx[found.order], np.arange(n_query))


def test_a_stored_float32_matrix_is_mapped_where_it_lies(tmp_path: Path) -> None:
    path = save(tmp_path / "p.npz", arrays_of(20, 8), "stored")
    found = open_predictions(path, Expected(20, 8))
    assert isinstance(found.mean, np.memmap)
    assert not found.mean.flags.writeable
    assert found.notes == ()


@pytest.mark.parametrize(
    ("dtype", "order", "note"),
    [
        ("<f8", "C", "mean: <f8 was read as float32"),
        ("<f2", "C", "mean: <f2 was read as float32"),
        (">f4", "C", "mean: >f4 was read as float32"),
        ("<f4", "F", "mean: columns first (Fortran order) was turned into rows first"),
    ],
)
@pytest.mark.parametrize("form", ["stored", "compressed", "folder"])
def test_other_floats_and_orders_are_accepted_with_a_note(
    tmp_path: Path, dtype: str, order: Any, note: str, form: str
) -> None:
    arrays = arrays_of(20, 8)
    arrays["mean"] = arrays["mean"].astype(dtype, order=order)
    found = open_predictions(save(tmp_path / "p.npz", arrays, form), Expected(20, 8))
    assert note in found.notes
    np.testing.assert_array_equal(found.mean, arrays["mean"].astype("<f4"))


def test_scratch_files_leave_nothing_behind(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = save(tmp_path / "p.npz", arrays_of(20, 8), "compressed")
    found = open_predictions(path, Expected(20, 8), scratch=scratch)
    assert list(scratch.iterdir()) == []
    assert np.isfinite(found.mean).all()


def test_order_finds_the_prediction_of_each_row_asked_for(tmp_path: Path) -> None:
    arrays = arrays_of(30, 4)
    arrays["mean"][:, 0] = arrays["idx"]
    found = open_predictions(save(tmp_path / "p.npz", arrays, "stored"), Expected(30, 4))
    np.testing.assert_array_equal(found.mean[found.order][:, 0], np.arange(30))


def test_rows_of_a_dataset_can_be_asked_for_instead_of_query_rows(tmp_path: Path) -> None:
    rows = np.array([7, 100, 41, 9_000_000_000])
    arrays = arrays_of(4, 3) | {"idx": np.array([100, 9_000_000_000, 7, 41])}
    path = save(tmp_path / "p.npz", arrays, "stored")
    found = open_predictions(path, Expected(4, 3, rows=rows))
    np.testing.assert_array_equal(found.order, [2, 0, 3, 1])
    said = str(refused(path, Expected(4, 3, rows=rows + 1)))
    assert (
        "4 foreign rows: 100, 9000000000, 7, 41; expected the 4 rows asked for, 8, 101, 42, 9000000001"
        in said
    )


def test_var_may_be_absent_where_it_is_not_claimed(tmp_path: Path) -> None:
    arrays = arrays_of(5, 3)
    path = save(tmp_path / "p.npz", {"mean": arrays["mean"], "idx": arrays["idx"]}, "stored")
    assert open_predictions(path, Expected(5, 3)).var is None
    assert refused(path, Expected(5, 3, var_required=True)).faults[0].field == "var"


def test_all_faults_of_a_file_are_in_one_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = arrays_of(20, 3)
    arrays["mean"][[4, 11], 1] = np.nan
    arrays["var"][3] *= -1
    arrays["idx"][2] = 99
    arrays["supported"][0] = 7
    path = save(tmp_path / "p.npz", {**arrays, "trut": arrays["mean"]}, "stored")
    refusal = refused(path, Expected(20, 3, ["TP53", "MYC", "KRAS"]))
    fields = [fault.field for fault in refusal.faults]
    assert fields == ["mean", "var", "idx", "idx", "epistemic", "supported", "trut"]
    first = refusal.faults[0]
    assert (first.rows, first.genes) == ((4, 11), ("MYC",))
    assert "2 values in 2 rows and 1 gene" in first.got

    print_error(refusal)
    printed = capsys.readouterr().err
    assert "predictions are refused: 7 faults" in printed
    for words in ("first rows 4, 11; first genes MYC", "1 foreign row: 99", "a variance is a square"):
        assert words in printed


def test_faults_name_only_the_first_rows_and_count_the_rest(tmp_path: Path) -> None:
    arrays = arrays_of(1000, 40)
    arrays["mean"][:] = np.inf
    fault = refused(save(tmp_path / "p.npz", arrays, "stored"), Expected(1000, 40)).faults[0]
    assert fault.rows == (0, 1, 2, 3, 4)
    assert fault.genes == ("#0", "#1", "#2", "#3", "#4")
    assert "40,000 values in 1,000 rows and 40 genes" in fault.got


def test_faults_in_late_blocks_are_found_at_their_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.contract.values.BLOCK_BYTES", 4 * 3 * 7)
    arrays = arrays_of(50, 3)
    arrays["epistemic"][48, 2] = 1e6
    arrays["mean"][[6, 7, 49], [0, 1, 2]] = np.nan
    refusal = refused(save(tmp_path / "p.npz", arrays, "stored"), Expected(50, 3))
    assert [(fault.field, fault.rows) for fault in refusal.faults] == [
        ("mean", (6, 7, 49)),
        ("epistemic", (48,)),
    ]


def test_inspecting_reads_headers_alone(tmp_path: Path) -> None:
    arrays = arrays_of(6, 2) | {"mean": np.full((6, 2), np.nan)}
    headers = inspect(save(tmp_path / "p.npz", arrays, "compressed"))
    assert listing(headers)["mean"] == {"dtype": "<f8", "shape": [6, 2]}
    assert list(headers) == ["mean", "var", "idx", "epistemic", "supported"]


@pytest.mark.parametrize("form", ["stored", "folder"])
def test_the_hash_of_predictions_changes_with_one_value(tmp_path: Path, form: str) -> None:
    arrays = arrays_of(6, 2)
    first = open_predictions(save(tmp_path / "a.npz", arrays, form), Expected(6, 2))
    same = open_predictions(save(tmp_path / "b.npz", arrays, form), Expected(6, 2))
    arrays["mean"][5, 1] += 1
    other = open_predictions(save(tmp_path / "c.npz", arrays, form), Expected(6, 2))
    assert isinstance(first, PredictionsFile)
    assert first.sha256 == same.sha256 != other.sha256
    if form == "stored":
        assert first.sha256 == file_hash(tmp_path / "a.npz")
