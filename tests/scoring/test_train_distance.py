"""The distance to training: smaller for what was seen, and blind to hidden cells."""

from __future__ import annotations

import numpy as np
import pytest

from harness.scoring.train_distance import train_distance


@pytest.fixture
def pairs(tiny, tiny_split):
    train = tiny_split.rows("train")
    of_row = tiny.conditions.of_row[train]
    known = [tiny.conditions.table[i] for i in np.unique(of_row[of_row >= 0]).tolist()]
    return [(one.context, one.pert) for one in known]


def test_an_unseen_context_is_farther_than_a_seen_one(tiny, tiny_split, tiny_truth, pairs):
    asked = [tiny_truth.conditions[i].condition for i in tiny_truth.of_kind("reported")]
    unseen = train_distance(tiny, tiny_split, [(one.context, one.pert) for one in asked]).values
    seen = train_distance(tiny, tiny_split, pairs).values
    assert unseen.min() > 0
    assert np.median(unseen) > np.median(seen)


def test_an_unseen_perturbation_is_farther_than_a_seen_one(tiny, tiny_split, pairs):
    context = pairs[0][0]
    seen, unseen = train_distance(tiny, tiny_split, [pairs[0], (context, "never made")]).values
    assert unseen > seen


def test_each_condition_has_its_distance_whatever_else_is_asked(tiny, tiny_split, pairs):
    together = train_distance(tiny, tiny_split, pairs).values
    alone = [train_distance(tiny, tiny_split, [pair]).values[0] for pair in pairs]
    assert together.tolist() == alone
