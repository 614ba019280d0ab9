"""Rank groups of a run: all pairs found together are what each pair says alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.reporting.scorecard.standing import _every_pair
from harness.scoring.score_table import Scored, ScoreTable
from harness.verdicts.intervals import Side, differences

METRICS = ("calibrated.wmse", "calibrated.retrieval", "calibrated.error_ratio")
CONDITIONS = tuple(Scored(f"c{i % 4}", f"p{i // 4}", "", "reported", "", 30) for i in range(32))


def side(name: str, seed: int, undefined: tuple[int, ...] = ()) -> Side:
    values = np.random.default_rng(seed).normal(0.1 * seed, 1, (len(METRICS), len(CONDITIONS)))
    values[1, :3] = np.nan  # for everybody
    values[2, list(undefined)] = np.nan  # for this side alone
    table = ScoreTable(CONDITIONS, dict(zip(METRICS, values, strict=True)), {})
    return Side(name, (table,))


@pytest.mark.parametrize("undefined", [(), (5, 6)], ids=["alike", "one side leaves conditions out"])
def test_all_pairs_found_together_are_what_each_says_alone(undefined: tuple[int, ...]) -> None:
    sides = [side("a", 0), side("b", 1, undefined), side("c", 9)]
    estimate, p = _every_pair(sides, METRICS)
    for i, j in itertools.combinations(range(3), 2):
        alone = differences(sides[i], sides[j], METRICS, resamples=0)
        for column, metric in enumerate(METRICS):
            assert estimate[i, j, column] == pytest.approx(alone[metric].estimate)
            assert estimate[j, i, column] == -estimate[i, j, column]
            assert p[i, j, column] == p[j, i, column] == pytest.approx(alone[metric].p)
            shown = p[i, j, column] < 0.05 and estimate[i, j, column] > 0
            assert shown == alone[metric].above
