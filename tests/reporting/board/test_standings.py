"""Who stands where: groups on test, nothing on validation, one row for all seeds, the reason beside what has no place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.status import RunStatus
from harness.reporting.board.reading import read_entries
from harness.reporting.board.standings import Standings, standings
from harness.statistics.intervals import paired_intervals
from harness.statistics.round_robin import round_robin

PRIMARY = "calibrated.wmse"


def only(*folders: Path) -> Standings:
    (task,) = standings(read_entries(folders))
    return task


def test_ranks_are_groups_and_not_a_false_order(made, errors):
    task = only(
        made("worst", error=errors(0.5)),
        made("good", error=errors(0.1, 1)),
        made("twin", error=errors(0.1001, 2)),
    )
    places = {row.name: row.places[PRIMARY] for row in task.ranked}
    assert places["good"].group == places["twin"].group == 1
    assert places["worst"].group == 2
    assert (places["good"].low, places["good"].high) == (1, 2)
    assert (places["worst"].low, places["worst"].high) == (3, 3)
    assert [row.name for row in task.ranked][-1] == "worst"
    assert task.family == 3 * 5, "pairs of three on every metric that ranks"


def test_validation_is_shown_apart_and_ranks_nobody(made):
    task = only(made("a", eval_split="val"), made("b", eval_split="val"), made("c"))
    assert [row.name for row in task.validation] == ["a", "b"]
    assert all(not row.places for row in task.validation)
    assert [row.name for row in task.ranked] == ["c"]


def test_seeds_of_a_configuration_are_one_row_and_the_newest_run_of_each_speaks(made, errors):
    old = made("mine", seed=0, error=errors(0.3))
    made_again = made("mine", seed=0, error=errors(0.1))
    other = made("mine", seed=1, error=errors(0.2))
    (row,) = only(old, made_again, other).ranked
    assert [entry.run for entry in row.entries] == [made_again.name, other.name]
    assert [entry.run for entry in row.others] == [old.name]
    assert row.value(PRIMARY) == pytest.approx(np.mean([errors(0.1), errors(0.2)]))


def test_configurations_of_one_name_are_told_apart(made):
    task = only(made("mine"), made("mine", variant="big"), made("mine", content="e"))
    names = [row.name for row in task.ranked]
    assert len(set(names)) == 3
    assert "mine@big" in names


def test_a_run_of_each_ending_is_shown_with_its_reason(made):
    ended = [
        made("declined", error=None, status=RunStatus.DECLINED, reason="it cannot do combinations"),
        made("failed", error=None, status=RunStatus.FAILED, reason="exit code 1"),
        made("held", status=RunStatus.HELD, reason="a leak is suspected", failed_gates=("canaries silent",)),
        made("incomplete", status=RunStatus.INCOMPLETE, reason="a metric is missing"),
    ]
    task = only(*ended, made("fine"))
    assert {row.name for row in task.unscored} == {"declined", "failed", "held", "incomplete"}
    assert [row.name for row in task.ranked] == ["fine"]


def test_a_quick_look_has_values_and_no_place(made):
    task = only(made("quick", judged=False), made("judged"))
    quick = next(row for row in task.ranked if row.name == "quick")
    assert not quick.places
    assert "without controls" in quick.unranked
    assert quick.value(PRIMARY) is not None


def test_a_run_below_a_sandbox_ranks_only_where_that_is_asked_for(made):
    folders = [made("loose", isolation="process+limits"), made("boxed")]
    rows = {row.name: row for row in only(*folders).ranked}
    assert "only container and sandbox rank" in rows["loose"].unranked
    assert not rows["loose"].places
    (task,) = standings(read_entries(folders), any_isolation=True)
    assert all(row.places for row in task.ranked)


def test_an_uninformative_metric_ranks_nobody(made):
    task = only(made("a", uninformative=(PRIMARY,)), made("b", uninformative=(PRIMARY,)))
    assert all(PRIMARY not in row.places for row in task.ranked)
    assert "uninformative here" in task.ranking(PRIMARY).why_not
    assert task.ranking("calibrated.energy_skill").places
    assert all("uninformative" in row.unranked for row in task.ranked)


def test_who_leaves_conditions_out_has_no_place_and_shrinks_nobody_elses(made, errors):
    error = errors(0.1)
    gap = (float("nan"), *error[1:])
    task = only(made("gap", error=gap), made("a", error=error), made("b", error=errors(0.4)))
    places = {row.name: row.places.get(PRIMARY) for row in task.ranked}
    assert places["gap"] is None
    assert task.ranking(PRIMARY).n == 30
    assert places["a"].group < places["b"].group
    assert "in 1 conditions" in next(row.unranked for row in task.ranked if row.name == "gap")


@pytest.mark.parametrize("contexts", [1, 6])
def test_all_pairs_at_once_say_what_each_pair_says_alone(contexts):
    rng = np.random.default_rng(0)
    n = 24
    sides = [rng.normal(level, 1, (n, seeds)) for level, seeds in ((0, 1), (0.4, 3), (0.8, 1), (0.1, 3))]
    where = [i % contexts for i in range(n)], [i // contexts for i in range(n)]
    estimate, p = round_robin(sides, *where)
    for i in range(4):
        for j in range(4):
            if i != j:
                (alone,) = paired_intervals(sides[i][:, :, None], sides[j][:, :, None], *where, resamples=0)
                assert estimate[i, j] == pytest.approx(alone.estimate)
                assert p[i, j] == pytest.approx(alone.p)
