"""Array files that are filled in place."""

from __future__ import annotations

import os

import pytest

from harness.datasets.npy import create_array


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve space")
def test_the_space_of_an_array_is_taken_before_it_is_filled(tmp_path):
    array = create_array(tmp_path / "X.npy", "<f4", (1000, 1000))
    taken = (tmp_path / "X.npy").stat()
    assert taken.st_blocks * 512 >= array.nbytes
    assert taken.st_size == array.offset + array.nbytes
