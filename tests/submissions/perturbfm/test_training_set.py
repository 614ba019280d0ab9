"""What a network is shown: baselines that leave the condition out, fresh control states, nothing of what it may not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from perturbfm.conditions import read_training
from perturbfm.covariates import Covariates
from perturbfm.starts import STARTS, choose_start, left_out
from perturbfm.states import MOST_CELLS, States
from perturbfm.training_set import de_weights, held_out, held_out_folds

from harness.sdk import Condition, load_task


def test_a_start_never_sees_the_condition_that_it_is_compared_with(problem):
    labelled = problem().labelled
    before = left_out(STARTS["perturbation_mean"], labelled)
    own = 3
    labelled.delta[own] += 100.0
    after = left_out(STARTS["perturbation_mean"], labelled)
    np.testing.assert_array_equal(before[own], after[own])
    assert (before != after).any()


def test_what_a_part_has_not_seen_has_no_id_and_no_embedding_of_its_own(problem):
    read = problem()
    keep = np.array([condition.pert not in ("G5",) for condition in read.labelled.table])
    part = read.part(keep)
    held = read.labelled.subset(~keep)
    assert part.others(held).inputs(np.arange(len(held.table))).ids.tolist() == [-1] * len(held.table)
    assert part.world.seen[5] == 0
    assert part.world.seen[1] == 1


def test_batches_are_uniform_over_contexts_whatever_their_size(handmade_task):
    from perturbfm.learned import Problem

    known = [("c0", p) for p in ("G1", "G2", "G3", "G4", "G5", "G6")] + [("c1", "G1"), ("c2", "G1")]
    task = load_task(handmade_task(known, [("c3", "G1")]))
    examples = Problem.read(task).part().examples()
    _, goal = examples.batch(3000, np.random.default_rng(0), augment=False)
    share = np.bincount(goal.context.numpy()) / 3000
    np.testing.assert_allclose(share[share > 0], 1 / 3, atol=0.04)


def test_the_same_step_draws_the_same_batch(problem):
    examples = problem().part().examples()
    one, two = (examples.batch(8, np.random.default_rng([0, 1, 7]), augment=True) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one[0], two[0], strict=True))


def test_resampled_states_read_a_bounded_number_of_rows_however_many_cells_there_are(handmade_task):
    for controls in (20, 2000):
        folder = handmade_task([("c0", "G1")], [("c1", "G1")], controls=controls, folder=f"t{controls}")
        task = load_task(folder)
        states = States(task, read_training(task))
        read = []

        class Counting:
            def __getitem__(self, rows, X=states.X, read=read):
                read.append(len(rows))
                return X[rows]

        states.X = Counting()
        states.resampled(np.zeros(50, np.int64), np.random.default_rng(0))
        assert sum(read) <= MOST_CELLS


def test_resampled_states_scatter_around_the_state(handmade_task):
    task = load_task(handmade_task([("c0", "G1"), ("c1", "G1")], [("c2", "G1")], controls=40))
    states = States(task, read_training(task))
    rng = np.random.default_rng(0)
    drawn = np.array([states.resampled(np.array([0]), rng)[0] for _ in range(200)])
    np.testing.assert_allclose(drawn.mean(axis=0), states.means[0], atol=0.02)
    assert (drawn.std(axis=0) > 0).all()


def test_weights_are_1_on_average_and_larger_where_an_effect_is(problem):
    labelled = problem().labelled
    weights = de_weights(labelled, np.ones(len(labelled.genes)))
    np.testing.assert_allclose(weights.mean(axis=1), 1.0)
    row = next(i for i, condition in enumerate(labelled.table) if condition.pert == "G5")
    assert weights[row, 5] == weights[row].max()


def test_conditions_of_role_val_are_held_out_where_there_are_any(small_task):
    task = small_task()
    task.train.obs["role"][task.train.obs["pert_id"] == "G5"] = "val"
    training = read_training(task)
    held = held_out(task, training)
    assert {c.pert for c, out in zip(training.table, held, strict=True) if out} == {"G5"}


def test_every_unit_that_is_new_is_held_out_in_turn(problem):
    read = problem()
    labelled = replace(read.labelled, axis="context")
    masks = held_out_folds(read.task, labelled, 3)
    held = [{c.context for c, out in zip(read.labelled.table, mask, strict=True) if out} for mask in masks]
    assert held == [{"c0"}, {"c1"}, {"c2"}]
    assert len(held_out_folds(read.task, labelled, 2)) == 2


def test_what_training_has_shown_of_a_condition_is_recalled_and_makes_it_surer(problem):
    read = problem()
    part = read.part()
    shown, new = part.training.table[0], part.training.table[0]._replace(context="c3")
    before = part.answers([shown, new]), part.spreads([shown, new])
    mean, var, kept = part.recalled([shown, new], *before)
    assert (var[0] < before[1][0]).all()
    np.testing.assert_array_equal(var[1], before[1][1])
    np.testing.assert_array_equal(mean[1], before[0][1])
    seen = part.training.delta[0]
    np.testing.assert_allclose(mean[0], kept[0] * before[0][0] + (1 - kept[0]) * seen)


def test_the_start_with_the_least_error_left_out_is_chosen(handmade_task):
    known = [(c, p) for c in ("c0", "c1", "c2") for p in ("G1", "G3", "G5")]
    labelled = read_training(load_task(handmade_task(known, [("c3", "G1")])))
    assert choose_start(labelled, ["zero", "train_mean", "perturbation_mean"]) == "perturbation_mean"
    with pytest.raises(ValueError, match="unknown start"):
        choose_start(labelled, ["the best"])


def test_doses_are_numbers_and_a_level_never_seen_is_no_other_level():
    table = [
        Condition("c", "d", (), (dose, batch)) for dose, batch in (("1", "x"), ("10", "y"), ("100", "x"))
    ]
    covariates = Covariates.of(table)
    rows = covariates.encode([*table, Condition("c", "d", (), ("1000", "z"))])
    assert rows.shape == (4, 3)
    assert (np.diff(rows[:, 0]) > 0).all()
    assert rows[:, 1:].tolist() == [[1, 0], [0, 1], [1, 0], [0, 0]]
