"""Predictions and truth in, numbers out: against values computed by hand, in any order, in any blocks."""

from __future__ import annotations

import numpy as np
import pytest

from harness.contract.predictions import open_predictions
from harness.datasets.obs import Pool
from harness.errors import HarnessError
from harness.metrics import cell_distances, celleval, effect_error
from harness.metrics.card import Undefined
from harness.scoring.evaluate import evaluate, expected_rows, predictions_in
from harness.storage import canonical_json


@pytest.fixture
def scored(tmp_path, tiny, tiny_split, tiny_task, tiny_truth):
    """Score arrays as a submission would have written them."""

    def run(mean, *, var_kind="effect", rows="query", eval_name="p.npz", **arrays):
        arrays.setdefault("idx", np.arange(len(mean)))
        np.savez(tmp_path / eval_name, mean=mean, **arrays)
        expected = expected_rows(tiny_task, tiny_truth, rows, var_required=False)
        file = open_predictions(tmp_path / eval_name, expected)
        return evaluate(tiny, tiny_split, tiny_task, file, var_kind=var_kind, rows=rows)

    return run


@pytest.fixture
def some_mean(tiny_task):
    rng = np.random.default_rng(3)
    return rng.normal(size=(tiny_task.card.n_query, len(tiny_task.card.genes))).astype(np.float32)


@pytest.fixture
def oracle(tiny, tiny_task, tiny_truth):
    """The truth itself, row by row."""
    deltas = np.stack([tiny_truth.delta(tiny, i) for i in range(len(tiny_truth.conditions))])
    return deltas[tiny_truth.query_condition].astype(np.float32)


def test_the_oracle_reaches_every_optimum(scored, oracle):
    document = scored(oracle, var=np.ones_like(oracle)).document
    levels = document["calibrated"]["global"]
    assert levels["mse"]["value"] < 1e-12
    assert levels["pcc_delta"]["value"] == pytest.approx(1, abs=1e-9)
    assert levels["retrieval"]["value"] == 1
    assert document["uncertainty"]["global"]["coverage_50"]["value"] == 1


def test_a_condition_is_the_mean_over_its_rows(scored, oracle, tiny_truth):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=oracle.shape).astype(np.float32)
    for condition in np.unique(tiny_truth.query_condition):
        rows = tiny_truth.query_condition == condition
        noise[rows] -= noise[rows].mean(axis=0)
    noisy = scored(oracle + noise).document["calibrated"]["global"]["mse"]["value"]
    assert noisy < 1e-10


def test_values_stand_for_reported_conditions_and_iid_apart(scored, some_mean, tiny_truth):
    evaluation = scored(some_mean)
    assert {context.kind for context in evaluation.scored.contexts} == {"reported", "iid"}
    document = evaluation.document
    assert document["calibrated"]["global"]["mse"]["n"] == len(tiny_truth.of_kind("reported"))
    assert document["subsets"]["iid"]["calibrated"]["global"]["mse"]["n"] == len(tiny_truth.of_kind("iid"))


@pytest.mark.parametrize(
    ("module", "lost", "named"),
    [
        (celleval, "pr_auc", "celleval.pr_auc"),
        (cell_distances, "energy_skill", "calibrated.energy_skill"),
        (effect_error, "error_ratio", "calibrated.error_ratio"),
    ],
)
def test_a_metric_that_some_conditions_lack_makes_the_result_incomplete(
    scored, some_mean, monkeypatch, module, lost, named
):
    of_condition, seen = module.condition_values, []

    def without_some(*args, **kwargs):
        seen.append(None)
        values = of_condition(*args, **kwargs)
        return values if len(seen) % 2 else {name: values[name] for name in values if name != lost}

    monkeypatch.setattr(module, "condition_values", without_some)
    evaluation = scored(some_mean)
    assert evaluation.document["missing"] == [named]
    assert not evaluation.complete


def test_canary_answers_change_no_value(scored, some_mean, tiny_truth):
    before = scored(some_mean, eval_name="a.npz").document
    changed = some_mean.copy()
    changed[np.isin(tiny_truth.query_condition, tiny_truth.of_kind("canary"))] += 100
    assert len(tiny_truth.of_kind("canary"))
    assert scored(changed, eval_name="b.npz").document == before


def test_calibration_answers_change_recalibrated_values_alone(scored, some_mean, tiny_truth):
    var = np.full_like(some_mean, 0.3)
    before = scored(some_mean, var=var, eval_name="a.npz").document
    changed = some_mean.copy()
    changed[np.isin(tiny_truth.query_condition, tiny_truth.of_kind("calib"))] += 100
    after = scored(changed, var=var, eval_name="b.npz").document
    uncertainty = before["uncertainty"]["global"], after["uncertainty"]["global"]
    different = {name for name in uncertainty[0] if uncertainty[0][name] != uncertainty[1][name]}
    assert different
    assert all(name.startswith(("conformal", "recalibrated")) for name in different)
    assert all(before[panel] == after[panel] for panel in before["panels"] if panel != "uncertainty")


def test_the_order_of_rows_in_the_file_changes_no_byte(scored, some_mean):
    order = np.random.default_rng(1).permutation(len(some_mean))
    var = np.abs(some_mean)
    a = scored(some_mean, var=var, eval_name="a.npz").document
    b = scored(some_mean[order], var=var[order], idx=order, eval_name="b.npz").document
    assert canonical_json(a) == canonical_json(b)


def test_contexts_weigh_the_same_however_many_conditions_they_have(scored, some_mean, tiny_truth):
    evaluation = scored(some_mean)
    document = evaluation.document["calibrated"]
    contexts = [summary["mse"]["value"] for summary in document["per_context"].values()]
    assert document["global"]["mse"]["value"] == pytest.approx(np.mean(contexts), rel=1e-14)


@pytest.mark.parametrize("var_kind", ["effect", "observed", "cell"])
def test_the_kind_of_variance_decides_what_is_added(scored, some_mean, tiny, tiny_truth, var_kind):
    var = np.full_like(some_mean, 0.05)
    epistemic = np.full_like(some_mean, 0.02)
    evaluation = scored(some_mean, var=var, epistemic=epistemic, var_kind=var_kind)
    z = 1.6448536269514722
    found = dict(zip(evaluation.scored.indices, evaluation.scored.summary.values["coverage_90"], strict=True))
    for index in tiny_truth.of_kind("reported")[:4].tolist():
        asked = tiny_truth.conditions[index]
        assert len(tiny_truth.references(asked.condition.context)) == 1
        cells = np.asarray(tiny.X[asked.rows], np.float64)
        reference = np.asarray(tiny.X[tiny.pool_rows(asked.condition.context, Pool.B)], np.float64)
        s_t, s_b = cells.var(axis=0, ddof=1) / len(cells), reference.var(axis=0, ddof=1) / len(reference)
        total = {
            "effect": np.float32(0.05) + s_t + s_b,
            "observed": np.full(len(s_t), 0.05),
            "cell": 0.05 / len(cells) + 0.02 + s_b,
        }[var_kind]
        mean = some_mean[tiny_truth.query_condition == index].mean(axis=0, dtype=np.float64)
        inside = np.abs(tiny_truth.delta(tiny, index, reference=0) - mean) <= z * np.sqrt(total)
        assert found[index] == pytest.approx(inside.mean(), abs=1e-12)


def test_published_values_count_by_test_cells(scored, some_mean, tiny_truth):
    evaluation = scored(some_mean)
    pairs = [
        (one.values["scperturbench"]["mse_all"], len(tiny_truth.conditions[one.index].rows))
        for context in evaluation.scored.contexts
        if context.kind == "reported"
        for one in context.conditions
    ]
    values, cells = (np.array(column) for column in zip(*pairs, strict=True))
    found = evaluation.document["scperturbench"]["global"]["mse_all"]["value"]
    assert found == pytest.approx((values * cells).sum() / cells.sum(), rel=1e-12)


def test_ratios_are_formed_of_sums_so_that_no_weak_condition_decides(scored, some_mean):
    evaluation = scored(some_mean)
    (context,) = [one for one in evaluation.scored.contexts if one.kind == "reported"]
    for metric in ("error_ratio", "energy_skill"):
        parts = np.array([one.fractions[metric] for one in context.conditions])
        found = evaluation.document["calibrated"]["per_context"][context.context][metric]
        assert found["value"] == pytest.approx(parts[:, 0].sum() / parts[:, 1].sum(), rel=1e-12)
        assert found["n"] == len(parts)
        for one, (above, below) in zip(context.conditions, parts, strict=True):
            value = one.values["calibrated"][metric]
            assert isinstance(value, Undefined) if below <= 0 else value == pytest.approx(above / below)


def test_predicted_cells_are_own_controls_plus_effect_with_noise_for_cell_variance_alone(
    scored, some_mean, tiny, tiny_truth
):
    var = np.full_like(some_mean, 0.5)
    index = int(tiny_truth.of_kind("reported")[0])
    asked = tiny_truth.query_condition == index
    plain = tiny.X[tiny_truth.query_row[asked]] + some_mean[asked]
    for var_kind in ("effect", "cell"):
        task = scored(some_mean, var=var, var_kind=var_kind).engine.task
        basal, predicted = task.predicted(index)
        assert np.array_equal(basal, tiny.X[tiny_truth.query_row[asked]])
        noise = predicted - plain
        if var_kind == "effect":
            assert not noise.any()
        else:
            assert noise.std() == pytest.approx(np.sqrt(0.5), rel=0.1)
            assert np.array_equal(task.predicted(index)[1], predicted)


def test_fallback_rows_are_scored_apart(scored, some_mean, tiny_truth):
    reported = tiny_truth.of_kind("reported")
    supported = np.full(len(some_mean), 2, np.uint8)
    supported[tiny_truth.query_condition == reported[0]] = 0
    document = scored(some_mean, supported=supported).document
    assert document["supported"]["fallback"] == pytest.approx((supported == 0).mean())
    assert document["subsets"]["supported"]["calibrated"]["global"]["mse"]["n"] == len(reported) - 1


def test_dataset_rows_are_scored_and_marked_not_blinded_not_ranked(scored, tiny, tiny_truth):
    hidden = np.sort(np.concatenate([tiny_truth.conditions[i].rows for i in tiny_truth.of_kind("reported")]))
    delta = np.zeros((len(hidden), tiny.meta.n_vars), np.float32)
    for i in tiny_truth.of_kind("reported"):
        delta[np.isin(hidden, tiny_truth.conditions[i].rows)] = tiny_truth.delta(tiny, i)
    document = scored(delta, idx=hidden, rows="dataset").document
    assert document["calibrated"]["global"]["mse"]["value"] < 1e-12
    assert document["predictions"]["blinded"] is False
    assert any("not blinded" in reason for reason in document["predictions"]["not_ranked"])
    iid = document["subsets"]["iid"]["calibrated"]["global"]["mse"]
    assert (iid["value"], iid["n"], iid["reason"]) == (None, 0, "there are no such conditions")


def test_dataset_rows_that_were_not_asked_for_are_refused(scored, tiny, tiny_split):
    rows = tiny_split.rows("train")[:10]
    with pytest.raises(HarnessError):
        scored(np.zeros((10, tiny.meta.n_vars), np.float32), idx=rows, rows="dataset")


def test_an_output_folder_is_searched_for_files_never_links(tmp_path):
    assert predictions_in(tmp_path) is None
    (tmp_path / "real.npz").write_bytes(b"x")
    (tmp_path / "predictions.npz").symlink_to(tmp_path / "real.npz")
    assert predictions_in(tmp_path) is None
    (tmp_path / "predictions").mkdir()
    assert predictions_in(tmp_path) == tmp_path / "predictions"
