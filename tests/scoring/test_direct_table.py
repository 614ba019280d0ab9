"""The table that controls are kept as is the one that a run folder would give."""

from __future__ import annotations

import numpy as np
import pytest

from harness.contract.predictions import Expected, open_predictions
from harness.scoring.direct_table import scored_table
from harness.scoring.engine import Engine, ScoreInputs
from harness.scoring.evaluate import evaluate
from harness.scoring.score_table import ScoreTable


@pytest.fixture
def file(tiny_task, tmp_path):
    shape = (tiny_task.card.n_query, len(tiny_task.card.genes))
    mean = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    np.savez(tmp_path / "predictions.npz", mean=mean, var=np.full_like(mean, 0.1), idx=np.arange(len(mean)))
    return open_predictions(tmp_path / "predictions.npz", Expected.of(tiny_task.card, var_required=False))


def test_the_direct_table_is_that_of_the_long_table_to_the_last_bit(tiny, tiny_split, tiny_task, file):
    evaluation = evaluate(tiny, tiny_split, tiny_task, file, var_kind="effect", workers=1)
    read = ScoreTable.of(evaluation.table("run"))
    direct = scored_table(Engine(ScoreInputs(tiny, tiny_split, tiny_task, file, "effect")))
    assert direct.conditions == read.conditions
    assert direct.values.keys() == read.values.keys()
    assert direct.overall.keys() == read.overall.keys()
    for name, column in read.values.items():
        assert direct.values[name].tobytes() == column.tobytes(), name
    for name, value in read.overall.items():
        assert np.array_equal(direct.overall[name], value, equal_nan=True), name


def test_reported_conditions_alone_score_as_they_do_among_others(tiny, tiny_split, tiny_task, file):
    inputs = ScoreInputs(tiny, tiny_split, tiny_task, file, "effect")
    whole = scored_table(Engine(inputs)).of_kind("reported")
    alone = scored_table(Engine(ScoreInputs(**{**vars(inputs), "kinds": ("reported",)})))
    assert {one.kind for one in alone.conditions} == {"reported"}
    assert alone.conditions == whole.conditions
    for name, column in whole.values.items():
        if not name.startswith("uncertainty."):
            assert alone.values[name].tobytes() == column.tobytes(), name
            assert np.array_equal(alone.overall[name], whole.overall[name], equal_nan=True), name


def test_what_is_restricted_is_another_score(tiny, tiny_split, tiny_task, file):
    inputs = ScoreInputs(tiny, tiny_split, tiny_task, file, "effect")
    restricted = Engine(ScoreInputs(**{**vars(inputs), "kinds": ("reported",)}))
    assert restricted.identity != Engine(inputs).identity
    assert not restricted.portable
