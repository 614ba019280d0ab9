"""PerturBench's panel: laws of its scores and ranks, and what is undefined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics import pair_scores, perturbench
from harness.metrics.card import Direction, Undefined, cards
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls
from harness.metrics.moments import moments
from harness.metrics.pca import principal_axes
from harness.metrics.perturbench_aggregations import (
    log_fold_change,
    overestimated_variance_test,
    signed_log_p,
    variation,
)

N_GENES = 60


class Context:
    """Random cells of one context, scored as a whole; no two test scores are equal, so that no recall hangs on ties."""

    def __init__(self, seed, n=5, n_cells=12, genes=N_GENES):
        rng = np.random.default_rng(seed)
        base = rng.gamma(1.0, 1.0, genes)
        self.controls = rng.gamma(base, size=(30, genes)).astype(np.float32)
        means = base * np.exp(rng.normal(0, 0.6, (n, genes)))
        self.observed = [rng.gamma(mean, size=(n_cells, genes)).astype(np.float32) for mean in means]
        self.predicted = [
            rng.gamma(base + 0.5 * (mean - base), size=(n_cells, genes)).astype(np.float32) for mean in means
        ]

    def values(self, normaliser="n-1", **changed):
        given = {
            name: changed.get(name, getattr(self, name)) for name in ("observed", "predicted", "controls")
        }
        controls = Controls(given["controls"])
        axes = principal_axes(np.concatenate([*given["observed"], given["controls"]]), 10)
        values = {name: [] for name in perturbench.CONDITION_NAMES}
        sides = [], []
        for true, told in zip(given["observed"], given["predicted"], strict=True):
            pair = [perturbench.side(cells, controls, axes, seed=3) for cells in (true, told)]
            for kept, one in zip(sides, pair, strict=True):
                kept.append(one)
            found = perturbench.condition_values(ConditionCells(true, told, controls), axes, *pair)
            for name, value in found.items():
                values[name].append(value)
        true, told = (np.stack([moments(c).mean for c in given[s]]) for s in ("observed", "predicted"))
        control = controls.moments.mean
        profiles = ContextProfiles(
            tuple(map(str, range(len(true)))), ((),) * len(true), true, told, control, true - control,
            told - control, np.zeros_like(control),
        )  # fmt: skip
        return values | perturbench.context_values(profiles, axes, *sides, normaliser=normaliser)


def assert_same(a, b):
    assert set(a) == set(b)
    for name in a:
        for x, y in zip(a[name], b[name], strict=True):
            assert x == pytest.approx(y, rel=1e-7, abs=1e-9), name


def test_names_cards_and_values_agree():
    found = {name.split(".", 1)[1] for name in cards() if name.startswith("perturbench.")}
    assert found == set(perturbench.NAMES) == set(Context(0).values())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_perturbations_does_not_matter(seed):
    context = Context(seed)
    order = np.random.default_rng(seed).permutation(5)
    moved = context.values(
        observed=[context.observed[i] for i in order], predicted=[context.predicted[i] for i in order]
    )
    assert_same({name: [values[i] for i in order] for name, values in context.values().items()}, moved)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_cells_does_not_matter(seed):
    context = Context(seed)
    rng = np.random.default_rng(seed)
    shuffled = {
        side: [rng.permutation(cells) for cells in getattr(context, side)]
        for side in ("observed", "predicted")
    }
    assert_same(context.values(), context.values(controls=rng.permutation(context.controls), **shuffled))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_genes_does_not_matter_where_test_scores_differ(seed):
    context = Context(seed)
    order = np.random.default_rng(seed).permutation(N_GENES)
    moved = context.values(
        observed=[cells[:, order] for cells in context.observed],
        predicted=[cells[:, order] for cells in context.predicted],
        controls=context.controls[:, order],
    )
    assert_same(context.values(), moved)


def test_the_truth_as_prediction_is_the_optimum_of_every_metric_and_rank():
    context = Context(1)
    values = context.values(predicted=context.observed)
    for name, card in cards().items():
        panel, title = name.split(".", 1)
        if panel == "perturbench" and card.direction is not Direction.NONE:
            assert values[title] == pytest.approx([card.optimum] * 5, abs=1e-9), title


def test_a_better_prediction_is_better_by_its_cards_direction():
    context = Context(2, n_cells=40)
    bad = context.values(predicted=context.predicted[1:] + context.predicted[:1])
    good = context.values()
    for name in perturbench.NAMES:
        card = cards()[f"perturbench.{name}"]
        if card.direction is not Direction.NONE:
            assert card.better(np.mean(good[name]), np.mean(bad[name])), name


@pytest.mark.parametrize("name", perturbench.METRICS)
def test_a_collapsed_model_has_rank_one_half_and_every_pair_tied(name):
    context = Context(3)
    values = context.values(predicted=[context.predicted[0]] * 5)
    assert values[f"rank_{name}"] == [0.5] * 5
    assert values[f"rank_lowest_{name}"] == [0.0] * 5
    assert values[f"rank_highest_{name}"] == [1.0] * 5
    assert values[f"rank_tied_{name}"] == [1.0] * 5
    if name != "top_k_recall_scores":
        assert np.mean(values[f"rank_transposed_{name}"]) == pytest.approx(0.5)


def test_predicting_the_control_has_no_direction_but_a_rank_of_one_half():
    context = Context(4)
    values = context.values(predicted=[context.controls] * 5)
    for name in ("cosine_logfc", "pearson_logfc"):
        assert all(isinstance(value, Undefined) for value in values[name])
        assert values[f"rank_{name}"] == [0.5] * 5
    assert all(value > 0 for value in values["rmse_average"])


def test_the_legacy_rank_is_smaller_by_n_minus_1_over_n():
    context = Context(5)
    old, new = context.values(normaliser="n"), context.values()
    for name in perturbench.METRICS:
        np.testing.assert_allclose(old[f"rank_{name}"], np.array(new[f"rank_{name}"]) * 4 / 5)


def test_one_perturbation_has_scores_but_no_rank():
    values = Context(6, n=1).values()
    assert isinstance(values["rmse_average"][0], float)
    for name in perturbench.CONTEXT_NAMES:
        assert values[name] == [Undefined(perturbench.ONE_PERTURBATION)]


def test_one_observed_cell_has_no_t_scores_and_cannot_be_ranked_by_them():
    context = Context(7)
    values = context.values(observed=[context.observed[0][:1], *context.observed[1:]])
    assert values["r2_scores"][0] == Undefined(perturbench.TOO_FEW)
    assert isinstance(values["rank_r2_scores"][0], Undefined)
    assert isinstance(values["rank_rmse_average"][0], float)
    assert all(isinstance(value, float) for value in values["r2_scores"][1:] + values["rank_r2_scores"][1:])


def test_one_predicted_cell_is_ranked_last_not_left_out():
    context = Context(7)
    values = context.values(predicted=[context.predicted[0][:1], *context.predicted[1:]])
    assert isinstance(values["r2_scores"][0], Undefined)
    assert values["rank_r2_scores"][0] == 1.0


def test_profiles_without_cells_have_no_metrics_of_cells():
    profiles = ContextProfiles(
        ("a", "b"), ((), ()), np.eye(2), np.eye(2), np.zeros(2), np.eye(2), np.eye(2), np.zeros(2)
    )
    values = perturbench.context_values(profiles, Undefined("there are no cells"))
    assert values["rank_rmse_average"] == [0.0, 0.0]
    assert values["rank_mmd_pca"] == [Undefined("there are no cells")] * 2
    assert values["rank_r2_scores"] == [Undefined(perturbench.NO_CELLS)] * 2


def test_a_side_survives_being_stored():
    context = Context(8)
    axes = principal_axes(context.controls, 4)
    one = perturbench.side(context.observed[0], Controls(context.controls), axes, seed=0)
    back = perturbench.Side.from_arrays(one.arrays())
    assert np.array_equal(back.scores, one.scores)
    assert np.array_equal(back.cloud, one.cloud)
    assert perturbench.Side.from_arrays(perturbench.Side(None, None).arrays()) == perturbench.Side(None, None)


def test_ranks_compare_no_more_cells_than_stated():
    cloud = np.arange(1000.0)[:, None]
    kept = perturbench.Side(None, cloud).for_ranks(seed=1).cloud
    assert len(kept) == perturbench.RANK_CELLS
    assert np.array_equal(kept, perturbench.Side(None, cloud).for_ranks(seed=1).cloud)


@given(seed=st.integers(0, 999), scale=st.floats(0.1, 10))
def test_errors_scale_with_the_data_and_likenesses_do_not(seed, scale):
    x, y = np.random.default_rng(seed).normal(size=(2, 20))
    for name in ("rmse", "mae"):
        score = pair_scores.VECTOR_SCORES[name]
        assert score(scale * x, scale * y) == pytest.approx(scale * score(x, y))
    for name in ("cosine", "pearson", "top_k_recall"):
        score = pair_scores.VECTOR_SCORES[name]
        assert score(scale * x, y) == pytest.approx(score(x, y))


@settings(deadline=None)
@given(seed=st.integers(0, 999), name=st.sampled_from(sorted(pair_scores.VECTOR_SCORES)))
def test_all_pairs_are_what_single_pairs_are(seed, name):
    rng = np.random.default_rng(seed)
    told, true = rng.normal(3, 1, (4, 70)), rng.normal(3, 1, (4, 70))
    told[1] = 2.0
    matrix = pair_scores.all_pairs(name, told, true)
    for i in range(4):
        for j in range(4):
            single = pair_scores.VECTOR_SCORES[name](told[i], true[j])
            assert matrix[i, j] == pytest.approx(single, rel=1e-9, abs=1e-12, nan_ok=True)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), block=st.sampled_from([1, 7, 8192]))
def test_mmd_of_all_pairs_is_mmd_of_single_pairs_in_blocks_of_any_size(seed, block):
    rng = np.random.default_rng(seed)
    clouds = [[rng.normal(i, 1, (n, 5)) for i, n in enumerate(sizes)] for sizes in ((4, 1, 6), (2, 5, 3))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_scores, "BLOCK_CELLS", block)
        matrix = pair_scores.mmd_of_all_pairs(*clouds)
    singles = [[pair_scores.mmd(told, true) for true in clouds[1]] for told in clouds[0]]
    np.testing.assert_allclose(matrix, singles, atol=1e-12)


def test_r2_takes_the_prediction_as_reference():
    assert pair_scores.r2_score(np.ones(3), np.array([0.0, 1.0, 2.0])) == 0.0
    assert pair_scores.r2_score(np.ones(3), np.ones(3)) == 1.0
    assert pair_scores.r2_score(np.array([0.0, 2.0]), np.array([0.0, 1.0])) == 0.5


def test_the_recall_divides_by_50_even_with_fewer_genes():
    scores = np.arange(40.0)
    assert pair_scores.top_k_recall(scores, scores) == 0.8


def test_a_mean_below_the_pseudocount_silently_becomes_no_change_as_published():
    change = log_fold_change(np.array([-0.2, -0.1, 0.0, 0.1]), np.zeros(4))
    assert change[0] == 0.0
    assert change[1] == -np.inf
    np.testing.assert_allclose(change[2:], [0.0, 1.0])


def test_genes_that_are_constant_on_both_sides_have_score_0_and_p_1():
    control = moments(np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]))
    cells = moments(np.array([[0.0, 4.0, 1.0], [0.0, 5.0, 1.0]]))
    t, p = overestimated_variance_test(cells, control)
    assert t.tolist()[::2] == [0.0, 0.0]
    assert p.tolist()[::2] == [1.0, 1.0]
    assert t[1] == pytest.approx(3 / np.sqrt((0.5 + 0.5) / 2))
    assert signed_log_p(t, p)[0] == 0.0
    assert variation(cells)[0] == 0.0
