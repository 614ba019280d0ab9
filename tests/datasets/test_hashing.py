"""The same content has the same hash; any change has another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets.builder import Rows
from harness.datasets.dataset import open_dataset
from harness.datasets.npy import card_of, create_array, open_array, save_array
from harness.datasets.obs import Labels, hash_obs
from harness.digest import array_hash

laws = settings(max_examples=50, deadline=None, derandomize=True)
DTYPES = ["<f4", "<f8", "<i8", "<u2", "|u1"]


@laws
@given(st.integers(0, 2**31), st.sampled_from(DTYPES), st.integers(1, 40), st.integers(1, 9))
def test_byte_order_and_memory_layout_do_not_matter(seed: int, dtype: str, n: int, m: int) -> None:
    array = (np.random.default_rng(seed).random((n, m)) * 200).astype(dtype)
    padded = np.zeros((2 * n, m + 1), dtype)
    padded[::2, 1:] = array
    forms = [np.asfortranarray(array), array.astype(array.dtype.newbyteorder(">")), padded[::2, 1:]]
    assert {array_hash(form) for form in forms} == {array_hash(array)}


@laws
@given(st.integers(0, 2**31), st.sampled_from(DTYPES), st.integers(1, 40), st.integers(1, 9))
def test_any_flipped_bit_shape_or_type_changes_the_hash(seed: int, dtype: str, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    array = (rng.random((n, m)) * 200).astype(dtype)
    raw = bytearray(array.tobytes())
    place = int(rng.integers(len(raw)))
    raw[place] ^= 1 << int(rng.integers(8))
    other = np.frombuffer(bytes(raw), dtype).reshape(n, m)
    hashes = {array_hash(array), array_hash(other), array_hash(array.reshape(n, m, 1))}
    assert len(hashes) == 3
    if array.itemsize > 1:
        assert array_hash(
            array.view(f"<i{array.itemsize}") if dtype != "<i8" else array.view("<u8")
        ) != array_hash(array)


@pytest.mark.parametrize("dtype", ["<u1", "|u1", ">f4", "<f4"])
def test_an_array_file_is_the_same_bytes_however_its_type_is_written(tmp_path: Path, dtype: str) -> None:
    array = create_array(tmp_path / "a.npy", dtype, (3, 2))
    array[...] = 5
    np.testing.assert_array_equal(open_array(tmp_path / "a.npy", card_of(array)), np.load(tmp_path / "a.npy"))
    save_array(tmp_path / "b.npy", np.full((3, 2), 5, np.dtype(dtype)))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@laws
@given(st.lists(st.sampled_from(["a", "b", "ü", "ab", "c d"]), min_size=1, max_size=30))
def test_labels_keep_names_in_sorted_levels_and_compact_keeps_the_names(names: list[str]) -> None:
    labels = Labels.of(names)
    assert labels.names().tolist() == names
    assert list(labels.levels) == sorted(set(names))
    half = labels.take(np.arange(len(names) // 2 + 1))
    assert half.compact().names().tolist() == half.names().tolist()
    assert set(half.compact().levels) == set(half.names())


def hash_of(rows: Rows) -> str:
    rows = rows.compact()
    return hash_obs(rows.to_obs(np.zeros(len(rows.is_control), np.uint8)), rows.cell_ids)


def table() -> Rows:
    labels = Labels.of(["a", "b", "a"])
    return Rows(
        labels,
        labels,
        labels,
        np.zeros(3, bool),
        pa.array(["1", "2", "3"]),
        {"dose": np.array([1.0, 0.0, np.nan])},
    )


def test_every_column_of_the_row_table_is_hashed() -> None:
    base = table()
    other = Labels.of(["a", "b", "b"])
    changed = [
        Rows(other, base.context, base.batch, base.is_control, base.cell_ids, base.covariates),
        Rows(base.pert, other, base.batch, base.is_control, base.cell_ids, base.covariates),
        Rows(base.pert, base.context, other, base.is_control, base.cell_ids, base.covariates),
        Rows(base.pert, base.context, base.batch, ~base.is_control, base.cell_ids, base.covariates),
        Rows(
            base.pert, base.context, base.batch, base.is_control, pa.array(["12", "", "3"]), base.covariates
        ),
        Rows(
            base.pert,
            base.context,
            base.batch,
            base.is_control,
            base.cell_ids,
            {"dose": np.array([1.0, 0.0, 2.0])},
        ),
        Rows(
            base.pert,
            base.context,
            base.batch,
            base.is_control,
            base.cell_ids,
            {"time": base.covariates["dose"]},
        ),
        Rows(base.pert, base.context, base.batch, base.is_control, base.cell_ids, base.covariates, ("dose",)),
    ]
    assert len({hash_of(rows) for rows in [base, *changed]}) == len(changed) + 1


def test_minus_zero_and_the_bits_of_nan_do_not_matter() -> None:
    base = table()
    odd_nan = np.array([0x7FF8000000000001], np.uint64).view(np.float64)[0]
    same = Rows(
        base.pert,
        base.context,
        base.batch,
        base.is_control,
        base.cell_ids,
        {"dose": np.array([1.0, -0.0, odd_nan])},
    )
    assert hash_of(same) == hash_of(base)


def test_the_name_and_the_notes_are_not_part_of_the_data_hash_but_of_the_card(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    first = open_dataset(build(tmp_path / "one"))
    second = open_dataset(build(tmp_path / "two", name="other", notes=["a note"]))
    assert first.data_hash == second.data_hash
    assert first.meta.meta_hash != second.meta.meta_hash


@pytest.mark.parametrize(
    "changes", [{"genes": ["A", "B", "D"]}, {"seed": 1}, {"unit": "profile"}, {"perturbations": {"A": ["B"]}}]
)
def test_genes_seed_unit_and_targets_are_part_of_the_data_hash(
    build: Callable[..., Path], tmp_path: Path, changes: dict[str, object]
) -> None:
    assert (
        open_dataset(build(tmp_path / "one")).data_hash
        != open_dataset(build(tmp_path / "two", **changes)).data_hash
    )
