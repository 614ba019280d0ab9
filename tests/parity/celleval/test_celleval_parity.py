import json
from pathlib import Path

import numpy as np
import pytest

from harness.metrics.card import Undefined
from harness.metrics.inputs import ConditionCells
from harness.parity import celleval

CASES = celleval.cases(Path(__file__).parent)


@pytest.fixture(scope="module")
def checked():
    """The deviations of every public case."""
    return {case.stem: celleval.check(case) for case in CASES}


@pytest.mark.parametrize("case", [case.stem for case in CASES])
def test_every_column_array_and_aggregate_of_a_public_case_is_reproduced(case, checked):
    deviations = checked[case]
    assert [d for d in deviations if not d.ok] == []
    compared = {d.metric for d in deviations if d.compared}
    assert set(celleval.celleval.NAMES) <= compared
    assert {"p_value (real)", "p_value (pred)", "fdr (pred)", "log2_fold_change (real)"} <= compared


def test_all_five_public_cases_are_there():
    assert [case.stem[:2] for case in CASES] == ["p1", "p2", "p3", "p4", "p5"]


def test_the_baseline_of_the_original_and_the_score_against_it_are_reproduced(checked):
    kinds = ("(baseline)", "(score)")
    found = {kind: [d for d in checked["p1_typical"] if d.metric.endswith(kind)] for kind in kinds}
    assert {kind: len(deviations) for kind, deviations in found.items()} == {"(baseline)": 27, "(score)": 25}
    assert all(d.ok for deviations in found.values() for d in deviations)


def test_only_coincident_cells_widen_a_tolerance(checked):
    widened = {d.case for found in checked.values() for d in found if d.tolerance > celleval.TOLERANCE}
    assert widened == {"p3_pred_equals_control"}


def test_a_missing_label_is_refused_by_name(checked):
    refusal = next(d for d in checked["p5_missing_perturbation"] if d.metric.startswith("refusal"))
    assert refusal.ok
    assert refusal.note == "1 missing: G7"


@pytest.fixture
def changed_case(tmp_path):
    """A copy of a case whose document was changed."""

    def change(edit):
        source = CASES[0]
        document = json.loads(source.read_text(encoding="utf-8"))
        edit(document["expected"])
        (tmp_path / source.name).write_text(json.dumps(document), encoding="utf-8")
        (tmp_path / f"{source.stem}.npz").symlink_to(source.with_suffix(".npz"))
        return [d for d in celleval.check(tmp_path / source.name) if not d.ok]

    return change


def test_a_value_that_is_off_by_a_millionth_is_found(changed_case):
    def edit(expected):
        expected["per_perturbation"]["G10"]["pr_auc"] += 1e-6

    (found,) = changed_case(edit)
    assert (found.metric, found.worst) == ("pr_auc", pytest.approx(1e-6, rel=1e-3))


def test_a_value_where_none_was_expected_is_infinitely_far(changed_case):
    def edit(expected):
        expected["per_perturbation"]["G10"]["mse"] = None

    (found,) = changed_case(edit)
    assert found.worst == np.inf


def test_a_wrong_quartile_is_found(changed_case):
    def edit(expected):
        expected["aggregate"]["75%"]["overlap_at_50"] += 0.5

    (found,) = changed_case(edit)
    assert found.metric == "overlap_at_50 (aggregate)"


def test_quartiles_are_order_statistics_and_nan_spreads_to_the_mean():
    summary = celleval.aggregate("mse", [4.0, 1.0, Undefined("none"), 2.0, 3.0])
    assert np.isnan(summary["mean"])
    assert (summary["count"], summary["25%"], summary["50%"], summary["75%"]) == (5, 2, 3, 4)
    assert (summary["min"], summary["max"]) == (1, 4)


def test_columns_without_a_row_are_counted_apart():
    from harness.metrics.celleval_de import NOTHING_REAL

    summary = celleval.aggregate("de_direction_match", [0.5, Undefined(NOTHING_REAL), 1.0])
    assert (summary["count"], summary["null_count"], summary["mean"]) == (2, 1, 0.75)


def test_a_perturbation_without_others_has_the_discrimination_that_the_original_gives_it():
    cells = celleval.Cells.read(CASES[0].with_suffix(".npz"))
    labels = cells.shared[:1]
    one = ConditionCells(cells.observed[labels[0]], cells.predicted[labels[0]], cells.controls)
    sides = tuple(celleval.celleval.side(group, cells.controls) for group in (one.observed, one.predicted))
    columns = celleval.recompute([one], [sides], labels, cells.genes)
    assert [columns[name] for name in celleval.DISCRIMINATION] == [[1.0]] * 3
