"""Laws of the matched controls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.datasets.matching import group_mean, match_cells, match_means, match_pairs
from harness.datasets.obs import Labels, Obs, Pool
from harness.datasets.pools import deal_controls
from harness.errors import HarnessError

laws = settings(max_examples=60, deadline=None, derandomize=True)


def make_obs(seed: int, n: int = 200, n_contexts: int = 3, n_batches: int = 4, share: float = 0.4) -> Obs:
    rng = np.random.default_rng(seed)
    context = Labels.of([f"c{i}" for i in rng.integers(0, n_contexts, n)])
    batch = Labels.of([f"b{i}" for i in rng.integers(0, n_batches, n)])
    is_control = rng.random(n) < share
    pert = Labels.of(np.where(is_control, "control", "A"))
    pool, _ = deal_controls(context, batch, is_control, seed)
    return Obs(pert, context, batch, pool, is_control, {}, ())


@laws
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 6))
def test_a_matched_control_is_of_pool_a_and_of_the_same_context_and_batch_where_there_is_one(
    seed: int, n_contexts: int, n_batches: int
) -> None:
    obs = make_obs(seed, n_contexts=n_contexts, n_batches=n_batches)
    pool_a = obs.in_pool(Pool.A)
    assume(all(pool_a[obs.context.codes == code].any() for code in range(len(obs.context.levels))))
    control = match_cells(obs, seed)
    assert pool_a[control].all(), "pools B and C are never a model's input"
    np.testing.assert_array_equal(obs.context.codes[control], obs.context.codes)
    for row in range(len(obs)):
        same = (
            pool_a & (obs.context.codes == obs.context.codes[row]) & (obs.batch.codes == obs.batch.codes[row])
        )
        if same.any():
            assert same[control[row]]
    np.testing.assert_array_equal(control[pool_a], np.flatnonzero(pool_a))


def test_matching_is_determined_by_the_seed() -> None:
    obs = make_obs(1)
    np.testing.assert_array_equal(match_cells(obs, 5), match_cells(obs, 5))
    assert not np.array_equal(match_cells(obs, 5), match_cells(obs, 6))


def test_contexts_without_controls_are_refused_by_name_and_number_of_rows() -> None:
    obs = make_obs(0, n=60)
    lonely = obs.context.codes == 1
    obs.is_control[lonely] = False
    obs.pool[lonely] = 0
    for match in (lambda: match_cells(obs, 0), lambda: match_means(obs)):
        with pytest.raises(HarnessError, match="1 context has no control cells") as refused:
            match()
        assert refused.value.got == f"c1 ({int(lonely.sum())} rows)"


@laws
@given(st.integers(0, 10_000))
def test_a_mean_group_holds_exactly_the_pool_a_controls_of_its_rows_context_and_batch(seed: int) -> None:
    obs = make_obs(seed, n_batches=2)
    groups = match_means(obs)
    pool_a = obs.in_pool(Pool.A)
    for row in range(len(obs)):
        here = pool_a & (obs.context.codes == obs.context.codes[row])
        same = here & (obs.batch.codes == obs.batch.codes[row])
        np.testing.assert_array_equal(
            groups.members[groups.of_row[row]], np.flatnonzero(same if same.any() else here)
        )


def test_a_group_mean_is_the_mean_also_over_many_blocks() -> None:
    X = np.random.default_rng(0).random((10_000, 3)).astype(np.float32)
    rows = np.arange(0, 10_000, 2)
    np.testing.assert_allclose(group_mean(X, rows), X[rows].mean(axis=0, dtype=np.float64), rtol=1e-6)


def test_pairs_are_kept_and_a_control_is_its_own() -> None:
    obs = make_obs(2, n_contexts=1)
    controls = np.flatnonzero(obs.is_control)
    paired = np.full(len(obs), controls[3])
    control = match_pairs(obs, paired)
    assert (control[~obs.is_control] == controls[3]).all()
    np.testing.assert_array_equal(control[obs.is_control], controls)


def test_a_pair_with_a_perturbed_row_or_another_context_is_refused() -> None:
    obs = make_obs(2, n_contexts=2)
    perturbed = int(np.flatnonzero(~obs.is_control)[0])
    with pytest.raises(HarnessError, match="no control of their context"):
        match_pairs(obs, np.full(len(obs), perturbed))
    with pytest.raises(HarnessError, match="no control of their context"):
        match_pairs(obs, np.full(len(obs), int(np.flatnonzero(obs.is_control)[0])))
