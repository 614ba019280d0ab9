"""Through the whole scorer: a prediction that is the truth reaches the optimum of every card, a spoilt one is worse."""

from __future__ import annotations

import numpy as np
import pytest

from harness.contract.predictions import open_predictions
from harness.metrics.card import Direction, cards
from harness.scoring.evaluate import evaluate, expected_rows

PUBLISHED = ("scperturbench", "perturbench", "celleval")
OF_EFFECTS = (
    "calibrated.mse",
    "calibrated.pcc_delta",
    "calibrated.pcc_delta_centred",
    "calibrated.retrieval",
)
"""Cards whose optimum means that effects are right; those of cells would need as many independent cells."""
OF_HALVES = ("calibrated.wmse", "calibrated.error_ratio")
"""Cards that compare with one half of the cells: the effect of all cells is as near as the noise of that half."""
OF_FORECASTS = (
    "uncertainty.crps", "uncertainty.crps_skill", "uncertainty.interval_score_90", "uncertainty.interval_skill_90",
    "uncertainty.relative_risk",
)  # fmt: skip
"""Cards whose optimum is a right mean told with certainty."""


@pytest.fixture(scope="module")
def score(tiny, tiny_split, tiny_task, tiny_truth, tmp_path_factory):
    """Score arrays; returns the global values and reasons by `panel.metric`."""
    folder = tmp_path_factory.mktemp("predictions")

    def run(name, mean, var, rows, **arrays):
        path = folder / f"{name}.npz"
        np.savez(path, mean=mean.astype(np.float32), var=var.astype(np.float32), **arrays)
        expected = expected_rows(tiny_task, tiny_truth, rows, var_required=True)
        file = open_predictions(path, expected)
        found = evaluate(tiny, tiny_split, tiny_task, file, var_kind="observed", rows=rows, workers=1)
        return {
            f"{panel}.{metric}": level
            for panel in (*PUBLISHED, "calibrated", "uncertainty")
            for metric, level in found.document[panel]["global"].items()
        }

    return run


@pytest.fixture(scope="module")
def as_cells(score, tiny, tiny_truth):
    """Every hidden cell predicted as it is, and with the cells of another perturbation: (truth, spoilt)."""
    reported = [tiny_truth.conditions[i] for i in tiny_truth.of_kind("reported")]
    rows = np.sort(np.concatenate([asked.rows for asked in reported]))
    own = np.asarray(tiny.X[rows])
    basal = tiny.X_control(rows)
    rng = np.random.default_rng(0)
    other = own.copy()
    for i, asked in enumerate(reported):
        place = np.searchsorted(rows, asked.rows)
        strangers = reported[(i + 1) % len(reported)].rows
        other[place] = tiny.X[rng.choice(strangers, len(place))]
    other += rng.normal(0, 0.5, other.shape).astype(np.float32)
    var = np.full(own.shape, 0.1)
    return tuple(
        score(name, cells - basal, var, "dataset", idx=rows)
        for name, cells in (("own", own), ("other", other))
    )


@pytest.fixture(scope="module")
def as_effects(score, tiny, tiny_truth):
    """Every effect told as it is and with certainty, and those of another condition with noise: (truth, spoilt)."""
    effects = np.stack([tiny_truth.delta(tiny, i) for i in range(len(tiny_truth.conditions))])
    mean = effects[tiny_truth.query_condition]
    reported = tiny_truth.of_kind("reported")
    wrong = effects + np.random.default_rng(0).normal(0, 0.3, effects.shape)
    wrong[reported] = wrong[np.roll(reported, 1)]
    others = wrong[tiny_truth.query_condition]
    idx = np.arange(len(mean))
    # a variance that no reader takes for a missing one, and that a score cannot tell from none
    var = np.full(mean.shape, 1e-9)
    return tuple(
        score(name, told, var, "query", idx=idx) for name, told in (("effects", mean), ("others", others))
    )


def all_genes(name, n_genes):
    """Whether a card compares sets of the strongest genes that hold every gene of this small dataset."""
    return name.startswith("scperturbench.common_degs_top") and int(name.rpartition("top")[2]) >= n_genes


DIRECTED = [
    name
    for name, card in cards().items()
    if card.panel in PUBLISHED and card.direction in (Direction.HIGHER, Direction.LOWER)
]


@pytest.mark.parametrize("name", DIRECTED)
def test_true_cells_reach_the_optimum_of_a_published_card_and_others_are_worse(as_cells, tiny, name):
    truth, spoilt = (side[name] for side in as_cells)
    card = cards()[name]
    assert truth["value"] is not None, truth
    if card.optimum is not None:
        # cells are told as control + effect in float32, which is not exact to the last bit
        assert truth["value"] == pytest.approx(card.optimum, abs=1e-3)
    if not all_genes(name, tiny.meta.n_vars):
        assert spoilt["value"] is None or card.better(truth["value"], spoilt["value"])


@pytest.mark.parametrize("name", [*OF_EFFECTS, *OF_FORECASTS])
def test_true_effects_reach_the_optimum_and_others_are_worse(as_effects, name):
    truth, spoilt = (side[name]["value"] for side in as_effects)
    card = cards()[name]
    assert truth == pytest.approx(card.optimum, abs=1e-3)
    assert card.better(truth, spoilt)


@pytest.mark.parametrize("name", OF_HALVES)
def test_true_effects_are_within_the_noise_of_a_half_and_others_are_far(as_effects, name):
    truth, spoilt = (side[name]["value"] for side in as_effects)
    assert truth < 0.1 < spoilt


@pytest.mark.parametrize("name", ["calibrated.energy_skill", "calibrated.sinkhorn_skill"])
def test_skills_of_cells_fall_with_wrong_effects(as_effects, name):
    truth, spoilt = (side[name]["value"] for side in as_effects)
    assert cards()[name].better(truth, spoilt)


def test_every_value_lies_in_the_range_of_its_card(as_cells, as_effects):
    for levels in (*as_cells, *as_effects):
        for name, level in levels.items():
            low, high = cards()[name].range
            value = level["value"]
            assert value is None or low - 1e-9 <= value <= high + 1e-9, name
