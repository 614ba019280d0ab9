"""What a wrapper answers itself, by extension, and not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from external_kit import EXTENSION, FALLBACK, NATIVE, Answers, asked, condition_means

from harness.sdk import Task, load_task

KNOWN = [("c1", "G1"), ("c1", "G2"), ("c2", "G1"), ("c2", "drug")]


@pytest.fixture
def task(handmade_task: Callable[..., Path]) -> Task:
    wanted = [("c3", "G1"), ("c2", "G2"), ("c1", "G1+G2"), ("c1", "G1+G5"), ("c1", "G5"), ("c1", "drug")]
    return load_task(handmade_task(KNOWN, wanted))


def test_what_training_showed_of_each_condition(task: Task):
    found = {(each.condition.context, each.condition.pert): each for each in asked(task)}
    assert found["c2", "G2"].pert_seen
    assert not found["c1", "G5"].pert_seen
    assert found["c2", "G2"].context_seen
    assert not found["c3", "G1"].context_seen
    assert found["c1", "drug"].pert_seen
    assert found["c1", "G1+G2"].parts == ("G1", "G2")
    assert found["c1", "G1+G5"].parts == ()
    assert sorted(np.concatenate([each.rows for each in found.values()])) == list(range(len(task.query)))


def test_a_dose_that_training_lacks_is_told_apart(handmade_task: Callable[..., Path]):
    task = load_task(handmade_task([("c1", "G1", 1), ("c2", "G1", 2)], [("c3", "G1", 1), ("c3", "G1", 3)]))
    assert [(each.pert_seen, each.covariates_seen) for each in asked(task)] == [(True, True), (True, False)]


def test_rows_without_an_answer_hold_the_mean_training_delta_and_say_so(task: Task):
    answers = Answers(task)
    one, two = asked(task)[:2]
    answers.put(one.rows, np.ones(len(task.genes)))
    answers.put(two.rows, np.full((len(two.rows), len(task.genes)), 2.0), EXTENSION)
    given = answers.predictions()
    assert (given.mean[one.rows] == 1).all()
    assert (given.mean[two.rows] == 2).all()
    rest = np.setdiff1d(np.arange(len(task.query)), np.concatenate([one.rows, two.rows]))
    assert np.allclose(given.mean[rest], condition_means(task)[1].mean(axis=0))
    assert given.supported is not None
    assert set(given.supported[one.rows]) == {NATIVE}
    assert set(given.supported[two.rows]) == {EXTENSION}
    assert set(given.supported[rest]) == {FALLBACK}
    assert sum(answers.shares().values()) == pytest.approx(1)


def test_answers_are_predictions_that_the_sdk_takes(task: Task, tmp_path: Path):
    answers = Answers(task)
    assert answers.predictions().save(tmp_path, task).is_file()


def test_the_mean_of_a_condition_is_that_of_its_rows(task: Task, handmade_effect: Callable[..., np.ndarray]):
    for condition, mean in zip(*condition_means(task), strict=True):
        assert np.abs(mean - handmade_effect(condition.context, condition.pert)).max() < 0.3
