"""The order of cells: every one once in an epoch, never a held-out one, and the same from whatever step it is asked."""

from __future__ import annotations

import numpy as np
import pytest
from perturbfm.pretrain.stream import Order


@pytest.mark.parametrize("n", [1, 7, 49, 1000, 70_001])
def test_an_epoch_shows_every_cell_that_is_not_held_out_once(n):
    order = Order(n, seed=3)
    seen = order.take(0, order.length)
    assert np.array_equal(np.sort(np.concatenate([seen, order.held_out])), np.arange(n))


def test_no_epoch_shows_a_held_out_cell_and_each_has_an_order_of_its_own():
    order = Order(2000, seed=0)
    epochs = order.take(0, 3 * order.length).reshape(3, -1)
    assert len(order.held_out)
    assert not np.isin(epochs, order.held_out).any()
    assert (epochs[0] != epochs[1]).any()
    assert (epochs[1] != epochs[2]).any()


def test_any_piece_of_the_sequence_is_the_same_whatever_was_asked_before():
    whole = Order(5000, seed=1).take(0, 20_000)
    rng = np.random.default_rng(0)
    one = Order(5000, seed=1)
    for start in rng.integers(0, 19_000, size=30):
        np.testing.assert_array_equal(one.take(int(start), 700), whole[start : start + 700])


def test_neighbours_on_disk_are_read_within_a_window_but_not_side_by_side():
    order = Order(1_000_000, seed=0)
    batch = order.take(0, 256)
    assert len(np.unique(batch // 1024)) > 32
    assert len(np.unique(order.take(0, 60_000) // 1024)) <= 64


def test_another_seed_is_another_order():
    assert (Order(500, 0).take(0, 100) != Order(500, 1).take(0, 100)).any()
