"""Every public case of scPerturBench's own metric functions, and what a check must notice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.parity.scperturbench import cases, check

FOLDER = Path(__file__).parent
CASES = cases(FOLDER)
BY_GROUP = {
    *("t_score", "padj", "foldchange", "gene_set", "mse", "pcc_delta", "energy_distance", "wasserstein"),
    *("kl_divergence", "common_degs", "euclidean", "root_mean_squared_error", "mean_absolute_error"),
    *(
        "spearman_distance",
        "cosine_distance",
        "r2_distance",
        "mmd",
        "sinkhorn_mean_cost",
        "sinkhorn_std_cost",
    ),
    *("sinkhorn_epsilon", "sinkhorn_reg_ot_cost", "sinkhorn_iterations", "sinkhorn_converged"),
}
OF_TABLE = {"score", "rank"} | {
    f"overall_{what}_{genes}" for what in ("score", "rank_mean", "rank") for genes in ("top100", "all_genes")
}


@pytest.fixture
def small_case(tmp_path):
    """A case that may be changed: (document, write and check it again)."""
    for suffix in (".json", ".npz"):
        shutil.copy(FOLDER / f"p01_small_basic{suffix}", tmp_path)
    path = tmp_path / "p01_small_basic.json"
    document = json.loads(path.read_text())

    def again():
        path.write_text(json.dumps(document))
        return {deviation.metric: deviation for deviation in check(path)}

    return document, again


def test_all_nine_public_cases_are_here():
    assert len(CASES) == 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_value_of_a_case_is_met(case):
    found = {deviation.metric: deviation for deviation in check(case)}
    assert set(found) == (OF_TABLE if case.stem == "aggregation" else BY_GROUP)
    assert [str(deviation) for deviation in found.values() if not deviation.ok] == []
    assert all(deviation.compared or deviation.skipped for deviation in found.values())
    assert all(bool(deviation.note) == bool(deviation.skipped) for deviation in found.values())


def test_values_are_left_out_only_where_the_definition_leaves_them_open():
    skipped = {(d.case, d.metric): d.skipped for case in CASES for d in check(case) if d.skipped}
    assert skipped == {
        ("p03_small_tiny_groups", "gene_set"): 1,
        ("p03_small_tiny_groups", "common_degs"): 1,
        ("p04_small_identities", "gene_set"): 1,
        ("p04_small_identities", "common_degs"): 2,
        ("p04_small_identities", "pcc_delta"): 4,
        ("p07_medium_zero_inflated", "t_score"): 10,
        ("p07_medium_zero_inflated", "common_degs"): 1,
    }


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("mse", "mse"),
        ("edistance", "energy_distance"),
        ("wasserstein", "wasserstein"),
        ("pcc_delta", "pcc_delta"),
    ],
)
def test_a_value_that_is_off_by_a_hundred_thousandth_is_noticed(small_case, name, metric):
    document, again = small_case
    document["groups"][0]["gene_sets"]["all"]["expected"]["float64"][name] *= 1 + 1e-5
    found = again()
    assert [name for name, deviation in found.items() if not deviation.ok] == [metric]


def test_a_value_where_none_is_expected_is_noticed(small_case):
    document, again = small_case
    document["groups"][0]["gene_sets"]["all"]["expected"]["float64"]["mse"] = None
    assert again()["mse"].worst == np.inf


def test_a_wrong_gene_in_a_set_is_noticed(small_case):
    document, again = small_case
    listed = document["groups"][0]["gene_sets"]["top20"]["genes_in_upstream_order"]
    listed[-1] = next(f"GENE{i:04d}" for i in range(50) if f"GENE{i:04d}" not in listed)
    found = again()
    assert not found["gene_set"].ok
    assert found["gene_set"].worst > 0


def test_another_iteration_count_of_the_transport_is_noticed(small_case):
    document, again = small_case
    document["groups"][1]["gene_sets"]["top10"]["sinkhorn"]["n_iters_multiple_of_10"] += 10
    assert [name for name, deviation in again().items() if not deviation.ok] == ["sinkhorn_iterations"]


def test_other_documents_are_refused_by_what_they_lack(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"columns": []}')
    with pytest.raises(HarnessError, match="no scPerturBench parity case") as caught:
        check(path)
    assert "columns" in str(caught.value)


def test_common_genes_are_divided_by_k_even_where_there_are_fewer_genes(small_case):
    document, again = small_case
    group = document["groups"][0]
    told = group["gene_sets"]["top10"]["common_degs_inferred"]
    group["gene_sets"] = {"top10": group["gene_sets"]["top10"]}
    document["groups"] = [group]
    told |= {"k": 80, "overlap": 50, "score": 50 / 80}
    assert again()["common_degs"].ok
    told["score"] = 1.0
    assert not again()["common_degs"].ok
