"""Every pair at once, on several metrics at once: what each pair says alone."""

from __future__ import annotations

import numpy as np
import pytest

from harness.statistics.intervals import paired_intervals
from harness.statistics.round_robin import round_robin

CONDITIONS, METRICS = 24, 3


@pytest.mark.parametrize("contexts", [1, 6])
def test_several_metrics_at_once_say_what_each_pair_says_alone_of_each(contexts: int) -> None:
    rng = np.random.default_rng(contexts)
    sides = [
        rng.normal(level, 1, (CONDITIONS, seeds, METRICS)) for level, seeds in ((0, 1), (0.5, 3), (1, 1))
    ]
    where = [i % contexts for i in range(CONDITIONS)], [i // contexts for i in range(CONDITIONS)]
    estimate, p = round_robin(sides, *where)
    assert estimate.shape == p.shape == (3, 3, METRICS)
    for i in range(3):
        for j in set(range(3)) - {i}:
            alone = paired_intervals(sides[i], sides[j], *where, resamples=0)
            assert estimate[i, j] == pytest.approx([one.estimate for one in alone])
            assert p[i, j] == pytest.approx([one.p for one in alone])


def test_one_metric_may_come_without_its_axis() -> None:
    rng = np.random.default_rng(0)
    sides = [rng.normal(0, 1, (CONDITIONS, 2)) for _ in range(3)]
    where = [i % 4 for i in range(CONDITIONS)], list(range(CONDITIONS))
    flat, deep = round_robin(sides, *where), round_robin([side[:, :, None] for side in sides], *where)
    assert flat[0].shape == (3, 3)
    assert np.array_equal(flat[0], deep[0][:, :, 0])
    assert np.array_equal(flat[1], deep[1][:, :, 0])
