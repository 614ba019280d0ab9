"""Panel `celleval`: the laws its columns keep, and what they say where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.metrics import celleval
from harness.metrics.card import Direction, Undefined, cards
from harness.metrics.celleval_context import discrimination_score_cosine, discrimination_score_l1
from harness.metrics.celleval_de import (
    Genes,
    de_direction_match,
    de_spearman_lfc_sig,
    overlap_at_N,
    pr_auc,
    precision_at_N,
    roc_auc,
)
from harness.metrics.inputs import ConditionCells, ContextProfiles, Controls

N_GENES = 60
LABELS = ("G0", "G1", "G2", "G3", "drugX")
GENES = tuple(f"G{i}" for i in range(N_GENES))


def expression(rng, n, effect=0.0):
    rate = np.exp(np.linspace(-1.5, 2.5, N_GENES) + effect)
    counts = rng.poisson(rng.gamma(2.0, rate / 2.0, (n, N_GENES)) * rng.lognormal(0, 0.2, (n, 1)))
    return np.log1p(counts / counts.sum(1, keepdims=True) * 100).astype(np.float32)


@pytest.fixture(scope="module")
def screen():
    """Observed, predicted and control cells of five perturbations."""
    rng = np.random.default_rng(0)
    hit = rng.random((len(LABELS), N_GENES)) < np.array([0.05, 0.1, 0.15, 0.3, 0.4])[:, None]
    effects = np.where(hit, rng.normal(0, 1.5, hit.shape), 0)
    controls = expression(rng, 80)
    observed = [expression(rng, 30 + 5 * i, effect) for i, effect in enumerate(effects)]
    predicted = [expression(rng, 40, 0.7 * effect) for effect in effects]
    return observed, predicted, controls


def all_values(observed, predicted, controls, labels=LABELS, genes=GENES):
    """Every column, by label."""
    shared = Controls(controls)
    conditions = [ConditionCells(o, p, shared) for o, p in zip(observed, predicted, strict=True)]
    means = [
        np.stack([getattr(c, f"{side}_moments").mean for c in conditions])
        for side in ("observed", "predicted")
    ]
    control = shared.moments.mean
    profiles = ContextProfiles(
        labels, ((),) * len(labels), *means, control, *(m - control for m in means), np.zeros(len(genes))
    )
    totals = [
        [celleval.side(getattr(c, side), shared) for c in conditions] for side in ("observed", "predicted")
    ]
    totals = [[s if isinstance(s, Undefined) else s.totals for s in side] for side in totals]
    context = celleval.context_values(profiles, celleval.own_genes(labels, genes), *totals)
    return {
        label: celleval.condition_values(condition) | {name: values[i] for name, values in context.items()}
        for i, (label, condition) in enumerate(zip(labels, conditions, strict=True))
    }


def same(a, b):
    return a == b if isinstance(a, Undefined) else a == pytest.approx(b, abs=1e-10)


def test_names_cards_and_outputs_agree(screen):
    declared = {card.name for card in cards().values() if card.panel == "celleval"}
    assert declared == set(celleval.NAMES)
    assert len(celleval.NAMES) == len(set(celleval.NAMES)) == 27
    for values in all_values(*screen).values():
        assert set(values) == declared


def test_every_value_is_inside_the_range_of_its_card(screen):
    declared = cards()
    for values in all_values(*screen).values():
        for name, value in values.items():
            low, high = declared[f"celleval.{name}"].range
            assert isinstance(value, Undefined) or low <= value <= high


def test_the_truth_as_prediction_reaches_every_optimum(screen):
    observed, _, controls = screen
    for values in all_values(observed, observed, controls).values():
        for name, value in values.items():
            card = cards()[f"celleval.{name}"]
            if card.direction is not Direction.NONE and not isinstance(value, Undefined):
                assert value == pytest.approx(card.optimum, abs=1e-12), name


def test_the_order_of_cells_and_perturbations_does_not_matter(screen):
    observed, predicted, controls = screen
    rng = np.random.default_rng(1)
    turned = [rng.permutation(len(LABELS)), [rng.permutation(group) for group in (*observed, *predicted)]]
    order, cells = turned
    before = all_values(*screen)
    after = all_values(
        [cells[i] for i in order], [cells[len(LABELS) + i] for i in order], rng.permutation(controls),
        tuple(LABELS[i] for i in order),
    )  # fmt: skip
    for label, values in before.items():
        for name, value in values.items():
            assert same(value, after[label][name]), (label, name)


def test_the_order_of_genes_does_not_matter_where_fold_changes_do_not_tie(screen):
    order = np.random.default_rng(2).permutation(N_GENES)
    observed, predicted, controls = screen
    before = all_values(*screen)
    after = all_values(
        [cells[:, order] for cells in observed], [cells[:, order] for cells in predicted], controls[:, order],
        genes=tuple(GENES[i] for i in order),
    )  # fmt: skip
    for label, values in before.items():
        for name, value in values.items():
            assert same(value, after[label][name]), (label, name)


def test_a_condition_does_not_depend_on_the_others_in_the_batch(screen):
    observed, predicted, controls = screen
    alone = all_values(observed[:1], predicted[:1], controls, LABELS[:1])[LABELS[0]]
    beside = all_values(*screen)[LABELS[0]]
    assert {name: alone[name] for name in celleval.CONDITION_NAMES} == {
        name: beside[name] for name in celleval.CONDITION_NAMES
    }


def test_one_perturbation_leaves_what_compares_perturbations_undefined(screen):
    observed, predicted, controls = screen
    values = all_values(observed[4:], predicted[4:], controls, LABELS[4:])[LABELS[4]]
    assert isinstance(values["pearson_edistance"], Undefined)
    assert isinstance(values["de_spearman_sig"], Undefined)
    assert isinstance(values["discrimination_score_l1"], Undefined)


def test_a_side_that_was_stored_gives_the_same_values(screen, tmp_path):
    observed, predicted, controls = screen
    cells = ConditionCells(observed[3], predicted[3], Controls(controls))
    np.savez(tmp_path / "side.npz", **celleval.side(cells.observed, cells.controls).arrays())
    with np.load(tmp_path / "side.npz") as stored:
        side = celleval.Side.from_arrays(stored)
        assert celleval.condition_values(cells, observed=side) == celleval.condition_values(cells)


def test_predictions_below_zero_count_as_absent_genes(screen):
    _, predicted, controls = screen
    low = predicted[0].copy()
    low[:, 5] = -1
    side = celleval.side(low, Controls(controls))
    assert side.fold_change[5] == -np.inf
    assert np.isfinite(side.fdr).all()


def test_controls_below_zero_have_no_fold_change(screen):
    observed, predicted, controls = screen
    values = celleval.condition_values(ConditionCells(observed[0], predicted[0], Controls(controls - 3)))
    assert values["overlap_at_N"] == Undefined(celleval.BELOW_ZERO)
    assert isinstance(values["mse"], float)


def test_without_controls_effects_are_undefined_and_errors_are_not(screen):
    observed, predicted, controls = screen
    values = celleval.condition_values(ConditionCells(observed[0], predicted[0], Controls(controls[:0])))
    assert values["pearson_delta"] == Undefined("there are no control cells")
    assert values["pr_auc"] == Undefined("there are no control cells")
    assert isinstance(values["mae"], float)


def genes(fold_change, fdr):
    return Genes(np.array(fold_change, np.float32), np.array(fdr, np.float32))


def test_without_any_significant_gene_shares_are_zero_and_conditionals_undefined():
    none = genes([1.0, 2.0], [0.5, 0.9])
    some = genes([1.0, 2.0], [0.01, 0.9])
    assert overlap_at_N(none, some) == precision_at_N(some, none) == 0.0
    assert isinstance(de_direction_match(none, some), Undefined)
    assert isinstance(pr_auc(none, some), Undefined)


def test_equal_fold_changes_keep_gene_order():
    tied = genes([1.0, -2.0, 2.0, np.inf, -np.inf], [0.01] * 5)
    assert tied.significant.tolist() == [3, 4, 1, 2, 0]


def test_the_threshold_of_significance_is_strict():
    assert genes([1.0, 1.0], [0.05, 0.0499]).significant.tolist() == [1]


def test_a_constant_score_is_worth_chance():
    rng = np.random.default_rng(3)
    observed = genes(rng.normal(size=400), np.where(rng.random(400) < 0.1, 0.01, 0.5))
    constant = genes(np.ones(400), np.ones(400))
    share = (observed.fdr < 0.05).mean()
    assert roc_auc(observed, constant) == 0.5
    assert pr_auc(observed, constant) == pytest.approx(share)


def test_random_scores_are_worth_chance_on_average():
    rng = np.random.default_rng(4)
    observed = genes(rng.normal(size=300), np.where(rng.random(300) < 0.2, 0.01, 0.5))
    drawn = [genes(np.ones(300), rng.random(300)) for _ in range(200)]
    assert np.mean([roc_auc(observed, one) for one in drawn]) == pytest.approx(0.5, abs=0.01)


def brute_roc(positive, score):
    wins = (score[positive][:, None] > score[~positive]) + 0.5 * (
        score[positive][:, None] == score[~positive]
    )
    return wins.mean()


def brute_average_precision(positive, score):
    total = 0.0
    for threshold in np.unique(score):
        exactly = positive & (score == threshold)
        total += exactly.sum() / positive.sum() * positive[score >= threshold].mean()
    return total


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([1e-12, 1e-10, 1e-4, 0.01, 0.2, 1.0])),
        min_size=2,
        max_size=60,
    )
)
def test_areas_under_curves_agree_with_counting_pairs(drawn):
    positive = np.array([is_positive for is_positive, _ in drawn])
    assume(positive.any() and not positive.all())
    fdr = np.array([fdr for _, fdr in drawn])
    observed = genes(np.ones(len(fdr)), np.where(positive, 0.001, 0.6))
    predicted = genes(np.ones(len(fdr)), fdr)
    score = -np.log10(np.clip(fdr, 1e-10, 1))
    assert roc_auc(observed, predicted) == pytest.approx(brute_roc(positive, score))
    assert pr_auc(observed, predicted) == pytest.approx(brute_average_precision(positive, score))


def test_random_effects_retrieve_at_chance():
    rng = np.random.default_rng(5)
    observed, predicted = rng.normal(size=(2, 40, 30))
    scores = [
        score
        for metric in (discrimination_score_l1, discrimination_score_cosine)
        for _ in range(20)
        for score in metric(observed, rng.permutation(predicted), [None] * 40)
    ]
    assert np.mean(scores) == pytest.approx(41 / 80, abs=0.03)


def test_a_constant_prediction_retrieves_exactly_at_chance_without_own_genes():
    observed = np.random.default_rng(6).normal(size=(20, 30))
    constant = np.ones((20, 30))
    scores = discrimination_score_l1(observed, constant, [None] * 20)
    assert np.mean(scores) == pytest.approx(21 / 40)


def test_an_own_gene_is_left_out_on_both_sides():
    observed = np.eye(3)
    predicted = -5 * np.eye(3)
    assert discrimination_score_l1(observed, observed, [0, 1, 2])[0] == 1.0
    changed = predicted.copy()
    np.fill_diagonal(changed, 7.0)
    own = [0, 1, 2]
    assert discrimination_score_l1(observed, predicted, own) == discrimination_score_l1(
        observed, changed, own
    )


def test_a_zero_prediction_is_at_right_angles_to_everything_and_ties_keep_order():
    observed = np.random.default_rng(7).normal(size=(4, 5))
    assert discrimination_score_cosine(observed, np.zeros((4, 5)), [None] * 4) == [1.0, 0.75, 0.5, 0.25]


def test_own_genes_are_found_by_the_name_of_the_label():
    assert celleval.own_genes(["B", "A+B", "A"], ["A", "B", "A"]) == [1, None, 0]


def test_one_significant_gene_has_no_rank_correlation():
    one = genes([1.0, 2.0, 3.0], [0.01, 0.9, 0.9])
    assert isinstance(de_spearman_lfc_sig(one, one), Undefined)


def test_the_energy_distance_of_controls_to_themselves_is_zero(screen):
    controls = screen[2]
    assert celleval.side(controls, Controls(controls)).distance == pytest.approx(0, abs=1e-12)
