"""Real combinations put trivial predictors in their known order, and a real null gives no metric a vote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.controls.task_controls import task_controls
from harness.datasets.dataset import PerturbDataset
from harness.splits.create import create_split
from harness.tasks.build import build_task
from harness.verdicts.task_passports import passports_of

pytestmark = pytest.mark.realdata


def test_a_scaled_sum_beats_the_sum_the_mean_and_nothing_on_norman(
    imported: Callable[[str], PerturbDataset],
) -> None:
    """Held-out half of the 126 doubles whose parts were both measured alone; mean and factor come from the other half."""
    dataset = imported("norman19_k562_pseudobulk")
    rows = np.asarray(dataset.X, np.float64)
    effect = {
        c.pert: rows[dataset.conditions.rows(i)].mean(axis=0) for i, c in enumerate(dataset.conditions.table)
    }
    doubles = [c.pert for c in dataset.conditions.table if _both_alone(c.pert, effect)]
    assert len(doubles) == 126
    true = np.stack([effect[name] for name in doubles])
    summed = np.stack([sum(effect[part] for part in name.split("+")) for name in doubles])
    order = np.random.default_rng(0).permutation(len(doubles))
    seen, held_out = np.split(order, [len(doubles) // 2])
    factor = (summed[seen] * true[seen]).sum() / np.square(summed[seen]).sum()

    def error(predicted: np.ndarray | float) -> float:
        return float(np.square(true[held_out] - predicted).mean())

    zero, mean = error(0.0), error(true[seen].mean(axis=0))
    additive, scaled = error(summed[held_out]), error(factor * summed[held_out])
    assert zero > mean > additive > scaled
    assert (zero, mean, additive, scaled) == pytest.approx((0.334, 0.270, 0.200, 0.162), abs=0.001)
    assert factor == pytest.approx(0.62, abs=0.01)


def _both_alone(pert: str, effect: dict[str, np.ndarray]) -> bool:
    parts = pert.split("+")
    return len(parts) == 2 and all(part in effect for part in parts)


def test_where_knock_downs_do_nothing_no_metric_gets_a_passport(
    imported: Callable[[str], PerturbDataset], tmp_path: Path
) -> None:
    dataset = imported("mcfaline23_gbm_sc")
    split = create_split(dataset, "context_ood")
    task = build_task(dataset, split, "val", cache=tmp_path)
    passports = passports_of(task_controls(dataset, split, task))
    assert len(passports) > 50
    assert [name for name, one in passports.items() if one.granted] == []
