"""PerturBench's public cases: every value of both releases is reproduced, and a changed value is noticed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.parity import perturbench, splits
from harness.parity.ill_conditioned import IllConditioned

HERE = Path(__file__).parent
CASES = perturbench.cases(HERE)
SPLITS = splits.cases(HERE)


@pytest.fixture(scope="module")
def checked():
    """The deviations of every case."""
    return {case: perturbench.check(case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_every_score_rank_and_matrix_of_a_public_case_is_reproduced(checked, case):
    deviations = checked[case]
    assert [d for d in deviations if not d.ok] == []
    expected = json.loads(case.read_text())["expected"]
    for release, aggregations in expected.items():
        for aggregation, part in aggregations.items():
            told = {d.metric for d in deviations if d.compared or d.skipped}
            assert {f"{release}/{aggregation}/{metric}" for metric in part["metrics"]} <= told
            assert {f"{release}/{aggregation}/{metric}/rank" for metric in part["rank"]} <= told


def test_all_eight_public_cases_and_both_splits_are_there():
    assert (len(CASES), len(SPLITS)) == (8, 2)


def test_only_values_that_a_case_calls_undecided_are_left_out(checked):
    for case, deviations in checked.items():
        assert any(d.skipped for d in deviations) == bool(json.loads(case.read_text())["ill_conditioned"])


@pytest.mark.parametrize("case", SPLITS, ids=[case.stem for case in SPLITS])
def test_an_official_split_is_imported_cell_by_cell(case):
    deviations = splits.check(case)
    assert [d for d in deviations if not d.ok] == []
    assert {d.metric for d in deviations} == set(splits.CHECKS)


@pytest.fixture
def case_to_change(tmp_path):
    """A copy of a case, and a function that changes its document."""
    source = HERE / "few_perts_one_covariate.json"
    for suffix in (".json", ".npz"):
        shutil.copy(source.with_suffix(suffix), tmp_path)
    path = tmp_path / source.name

    def change(edit):
        document = json.loads(path.read_text())
        edit(document["expected"]["v2026"])
        path.write_text(json.dumps(document))
        return {d.metric: d for d in perturbench.check(path)}

    return change


def test_a_score_that_is_off_by_a_little_is_noticed(case_to_change):
    def edit(expected):
        scores = expected["logfc"]["metrics"]["cosine"]["per_perturbation"]
        scores["k562_P1"] += 1e-4

    found = case_to_change(edit)
    assert not found["v2026/logfc/cosine"].ok
    assert found["v2026/logfc/pearson"].ok


def test_a_rank_outside_what_ties_allow_is_noticed(case_to_change):
    def edit(expected):
        tie = expected["average"]["rank"]["rmse"]["tie_info"]["k562_P0"]
        tie["rank_lowest"] = tie["rank_highest"] = tie["rank_highest"] + 1 / 3

    found = case_to_change(edit)
    assert not found["v2026/average/rmse/rank"].ok
    assert found["v2026/average/rmse/rank_transposed"].ok


def test_a_row_that_we_do_not_have_is_noticed(case_to_change):
    def edit(expected):
        expected["average"]["metrics"]["mae"]["per_perturbation"]["k562_P9"] = 0.1

    assert case_to_change(edit)["v2026/average/mae"].worst == float("inf")


def test_a_cell_in_another_split_is_noticed(tmp_path):
    for path in HERE.glob("split_transfer_one_covariate.*"):
        shutil.copy(path, tmp_path)
    file = tmp_path / "split_transfer_one_covariate.split.csv"
    file.write_text(file.read_text().replace("T_00000-1,train", "T_00000-1,test"))
    found = {d.metric: d.ok for d in splits.check(tmp_path / "split_transfer_one_covariate.json")}
    assert not found["cells"]
    assert not found["cells_per_split"]


def test_a_document_of_another_kind_is_refused(tmp_path):
    (tmp_path / "other.json").write_text('{"rows": []}')
    with pytest.raises(HarnessError, match="no PerturBench parity case"):
        perturbench.check(tmp_path / "other.json")
    with pytest.raises(HarnessError, match="no split fixture"):
        splits.check(tmp_path / "other.json")


def test_remarks_on_undecided_values_are_read_as_what_they_are_about():
    remarks = IllConditioned.of(
        [
            "scaled/cosine: zero up to noise",
            "scores, logp: constant, so top_k_recall is decided by tie order",
            "rank with rmse: nearly all tie",
        ]
    )
    assert remarks.score("scaled", "cosine") == "zero up to noise"
    assert remarks.score("scaled", "rmse") is None
    assert remarks.score("logp", "top_k_recall") is not None
    assert remarks.score("logp", "pearson") is None
    assert remarks.rank("average", "rmse") == "nearly all tie"
    assert remarks.score("average", "rmse") is None


def test_errors_of_the_older_release_leave_out_genes_without_a_prediction(tmp_path):
    source = HERE / "few_perts_one_covariate.npz"
    arrays = dict(np.load(source))
    arrays["X_pred"][0, 3] = np.nan
    np.savez(tmp_path / source.name, **arrays)
    shutil.copy(source.with_suffix(".json"), tmp_path)
    found = {d.metric: d.worst for d in perturbench.check(tmp_path / "few_perts_one_covariate.json")}
    assert found["v2024/average/rmse"] < 0.1
    assert found["v2026/average/rmse"] == float("inf")
