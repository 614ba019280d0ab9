"""Whether a submission knows which perturbation it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.contract.predictions import open_predictions
from harness.datasets.dataset import PerturbDataset
from harness.errors import HarnessError
from harness.scoring.answers import expected_rows
from harness.scoring.engine import Engine, ScoreInputs
from harness.splits.create import create_split
from harness.tasks.build import build_task
from harness.tasks.truth import load_truth
from harness.verdicts.specificity import pairwise_cosines, specificity

Array = np.ndarray


@pytest.fixture(scope="module")
def engine_of(
    preset_dataset: Callable[..., PerturbDataset], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Callable[[Array, Array], Array]], Engine]:
    """A scorer of predictions made from the truth: (effects, condition of each row) → mean. [rows, genes]"""
    dataset = preset_dataset("demo")
    split = create_split(dataset, "context_ood")
    folder = tmp_path_factory.mktemp("specificity")
    task = build_task(dataset, split, "val", cache=folder / "tasks")
    truth = load_truth(task)
    effects = np.stack([truth.delta(dataset, i) for i in range(len(truth.conditions))])

    def make(rule: Callable[[Array, Array], Array]) -> Engine:
        mean = rule(effects, truth.query_condition).astype(np.float32)
        path = Path(folder) / f"{abs(hash(mean.tobytes()))}.npz"
        np.savez(path, mean=mean, idx=np.arange(len(mean)))
        file = open_predictions(path, expected_rows(task, truth, "query", var_required=False))
        return Engine(ScoreInputs(dataset, split, task, file, "effect"))

    return make


def test_the_truth_is_specific(engine_of: Callable[..., Engine]) -> None:
    found = specificity([engine_of(lambda effects, rows: effects[rows])])
    assert found.p == 1 / 1000
    assert found.statistic > 0.99


def test_a_mean_however_good_is_not(engine_of: Callable[..., Engine]) -> None:
    mean = engine_of(lambda effects, rows: np.tile(effects.mean(axis=0), (len(rows), 1)))
    assert specificity([mean]).p == 1.0
    nothing = engine_of(lambda effects, rows: np.zeros((len(rows), effects.shape[1])))
    found = specificity([nothing])
    assert found.p == 1.0


def test_seeds_speak_together(engine_of: Callable[..., Engine]) -> None:
    """One seed that is right and one that is not are half as specific as the right one alone."""
    right = engine_of(lambda effects, rows: effects[rows])
    empty = engine_of(lambda effects, rows: np.tile(effects.mean(axis=0), (len(rows), 1)))
    both, alone = specificity([right, empty]), specificity([right])
    lone = specificity([empty])
    assert both.statistic == pytest.approx((alone.statistic + lone.statistic) / 2)
    with pytest.raises(HarnessError, match="no predictions"):
        specificity([])


def test_where_nothing_is_to_be_told_apart_there_is_no_test(engine_of: Callable[..., Engine]) -> None:
    lonely = engine_of(lambda effects, rows: effects[rows])
    first = lonely.truth.of_kind("reported")[0]
    rows = lonely.answers.rows
    lonely.answers = replace(
        lonely.answers, rows=tuple(one if i == first else one[:0] for i, one in enumerate(rows))
    )
    assert specificity([lonely]) is None


def test_what_rounding_leaves_of_the_mean_has_no_direction() -> None:
    rng = np.random.default_rng(0)
    centre, observed = rng.normal(size=50), rng.normal(size=(4, 50))
    rounded = np.tile(centre.astype(np.float32), (4, 1)).astype(np.float64)
    assert (pairwise_cosines(rounded, observed, centre) == 0).all()
    assert np.allclose(np.diagonal(pairwise_cosines(observed, observed, centre)), 1)
