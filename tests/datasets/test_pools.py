"""Laws of the control pools."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets.obs import Labels, Pool
from harness.datasets.pools import FULL_POOLS, SHARED_BELOW, deal_controls


@st.composite
def tables(draw: st.DrawFn) -> tuple[Labels, Labels, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 300))
    n_contexts, n_batches = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    context = Labels.of([f"c{i}" for i in rng.integers(0, n_contexts, n)])
    batch = Labels.of([f"b{i}" for i in rng.integers(0, n_batches, n)])
    return context, batch, rng.random(n) < draw(st.floats(0, 1))


laws = settings(max_examples=60, deadline=None, derandomize=True)


@laws
@given(tables(), st.integers(0, 9))
def test_every_control_is_in_one_pool_and_no_perturbed_row_is_in_any(table: tuple, seed: int) -> None:
    context, batch, is_control = table
    pool, modes = deal_controls(context, batch, is_control, seed)
    assert (pool[~is_control] == 0).all()
    for code, name in enumerate(context.levels):
        bits = pool[is_control & (context.codes == code)]
        if modes[name] == "shared-controls":
            assert (bits == (Pool.A | Pool.B | Pool.C)).all()
        else:
            assert np.isin(bits, [Pool.A.value, Pool.B.value, Pool.C.value]).all()


@laws
@given(tables(), st.integers(0, 9))
def test_the_mode_of_a_context_follows_from_its_number_of_controls(table: tuple, seed: int) -> None:
    context, batch, is_control = table
    _, modes = deal_controls(context, batch, is_control, seed)
    for code, name in enumerate(context.levels):
        n = int((is_control & (context.codes == code)).sum())
        expected = (
            "none"
            if n == 0
            else "shared-controls"
            if n < SHARED_BELOW
            else "cross-fit"
            if n < FULL_POOLS
            else "three-pool"
        )
        assert modes[name] == expected


@laws
@given(tables(), st.integers(0, 9))
def test_pools_hold_their_shares_of_a_context_and_of_every_batch(table: tuple, seed: int) -> None:
    context, batch, is_control = table
    pool, modes = deal_controls(context, batch, is_control, seed)
    for code, name in enumerate(context.levels):
        if modes[name] not in ("three-pool", "cross-fit"):
            continue
        here = is_control & (context.codes == code)
        for share, member in ((0.4, Pool.A), (0.3, Pool.B), (0.3, Pool.C)):
            in_pool = here & ((pool & member.value) != 0)
            assert abs(in_pool.sum() - share * here.sum()) < 1
            for batch_code in range(len(batch.levels)):
                of_batch = batch.codes == batch_code
                assert abs((in_pool & of_batch).sum() - share * (here & of_batch).sum()) < 2


@laws
@given(tables(), st.integers(0, 9))
def test_dealing_is_determined_by_the_seed(table: tuple, seed: int) -> None:
    first, second = deal_controls(*table, seed), deal_controls(*table, seed)
    np.testing.assert_array_equal(first[0], second[0])


def test_another_seed_deals_other_pools() -> None:
    context, batch = Labels.of(["c"] * 60), Labels.of(["b"] * 60)
    every = np.ones(60, bool)
    assert not np.array_equal(
        deal_controls(context, batch, every, 0)[0], deal_controls(context, batch, every, 1)[0]
    )


def test_a_context_deals_the_same_whatever_other_contexts_there_are() -> None:
    alone = deal_controls(Labels.of(["c"] * 40), Labels.of(["b"] * 40), np.ones(40, bool), 0)[0]
    beside = deal_controls(Labels.of(["c"] * 40 + ["a"] * 9), Labels.of(["b"] * 49), np.ones(49, bool), 0)[0]
    np.testing.assert_array_equal(alone, beside[:40])
