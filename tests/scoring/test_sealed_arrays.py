"""Frozen objects on disk: equal when read back, refused when changed, and nothing but known classes is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from harness.errors import ChangedError
from harness.scoring.sealed_arrays import read_sealed, write_sealed


class Pair(NamedTuple):
    left: np.ndarray
    right: float


@dataclass(frozen=True)
class Whole:
    name: str
    pairs: tuple[Pair, ...]
    table: dict[str, float]
    nothing: None
    count: int


@pytest.fixture
def whole():
    rng = np.random.default_rng(0)
    pairs = (
        Pair(rng.normal(size=(3, 4)).astype(np.float32), 0.1 + 0.2),
        Pair(np.zeros((0, 5), np.int64), float("inf")),
        Pair(rng.normal(size=(4, 3)).T, -0.0),
    )
    return Whole("a\nb", pairs, {"x": 1e-300, "y": float("nan")}, None, 3)


def test_an_object_reads_back_equal_to_the_last_bit(tmp_path, whole):
    write_sealed(tmp_path / "a", whole)
    found = read_sealed(tmp_path / "a", (Whole, Pair))
    assert (found.name, found.nothing, found.count) == ("a\nb", None, 3)
    assert found.table["x"] == 1e-300
    assert np.isnan(found.table["y"])
    for one, other in zip(found.pairs, whole.pairs, strict=True):
        assert one.left.dtype == other.left.dtype
        assert np.array_equal(one.left, other.left)
        assert one.right.hex() == other.right.hex()


def test_writing_it_again_gives_the_same_bytes(tmp_path, whole):
    write_sealed(tmp_path / "a", whole)
    write_sealed(tmp_path / "b", read_sealed(tmp_path / "a", (Whole, Pair)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("place", [0, 70, -1])
def test_any_flipped_byte_is_refused(tmp_path, whole, place):
    write_sealed(tmp_path / "a", whole)
    content = bytearray((tmp_path / "a").read_bytes())
    content[place] ^= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ChangedError):
        read_sealed(tmp_path / "a", (Whole, Pair))


def test_a_class_that_was_not_named_is_not_made(tmp_path, whole):
    write_sealed(tmp_path / "a", whole)
    with pytest.raises(KeyError):
        read_sealed(tmp_path / "a", (Whole,))


def test_classes_of_one_name_in_two_modules_are_told_apart(tmp_path):
    from harness.metrics import celleval, perturbench

    whole = (
        perturbench.Side(None, np.ones((2, 3)), 0.5),
        celleval.Side(np.ones(2, "f4"), np.zeros(2, "f4"), 0.1),
    )
    write_sealed(tmp_path / "sides.sealed", whole)
    back = read_sealed(tmp_path / "sides.sealed", (perturbench.Side, celleval.Side))
    assert [type(one) for one in back] == [perturbench.Side, celleval.Side]
