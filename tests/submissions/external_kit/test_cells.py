"""The cells that a wrapped model learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from external_kit import training_cells

from harness.sdk import Task, load_task


@pytest.fixture
def task(handmade_task: Callable[..., Path]) -> Task:
    return load_task(handmade_task([("c1", "G1"), ("c1", "G1+G2"), ("c2", "drug")], [("c2", "G1")]))


def test_all_cells_come_in_the_order_of_the_table(task: Task):
    cells = training_cells(task)
    assert list(cells.rows) == list(range(len(task.train)))
    assert np.array_equal(cells.X, task.train.X)
    assert {label for label, control in zip(cells.pert, cells.is_control, strict=True) if control} == {
        "control"
    }
    perturbed = ~cells.is_control
    assert np.allclose(cells.X[perturbed] - cells.own_control[perturbed], task.train_delta())


def test_no_condition_and_no_context_gives_more_cells_than_asked_for(task: Task):
    cells = training_cells(task, per_condition=3, controls_per_context=4)
    per = Counter(zip(cells.context, cells.pert, strict=True))
    assert per == {
        ("c1", "G1"): 3,
        ("c1", "G1+G2"): 3,
        ("c2", "drug"): 3,
        ("c1", "control"): 4,
        ("c2", "control"): 4,
    }


def test_the_same_seed_draws_the_same_cells_and_another_seed_others(task: Task):
    def rows(seed: int) -> list[int]:
        task.seed = seed
        return list(training_cells(task, per_condition=3, controls_per_context=3).rows)

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)


def test_perturbed_genes_are_sets_of_names_and_columns_plain_text(task: Task):
    cells = training_cells(task)
    of = dict(zip(cells.pert, cells.genes, strict=True))
    assert of == {"control": (), "G1": ("G1",), "G1+G2": ("G1", "G2"), "drug": ()}
    assert all(type(each) is str for column in cells.obs().values() for each in column)
