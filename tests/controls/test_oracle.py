"""The truth reaches every optimum: on the demo but for the noise of the experiment, and all where there is no noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.controls.bench import Bench
from harness.controls.catalogue import POSITIVE_ANCHOR
from harness.controls.oracle import FORMS, score_oracle
from harness.datasets.dataset import open_dataset
from harness.datasets.synth.artifact import make_synthetic
from harness.datasets.synth.spec import SynthSpec
from harness.metrics.card import Card, Direction, cards
from harness.scoring.score_table import ScoreTable
from harness.splits.create import create_split
from harness.tasks.build import build_task

Forms = Mapping[str, ScoreTable]
EXACT = 1e-3
"""Cells are told as control + effect in float32."""
SAMPLED = 0.03
"""Shares of some ten thousand values, and calls near a threshold."""
FEW = 0.13
"""Shares of some fifty conditions: three standard deviations of a binomial."""
OF_NOISE = (
    "calibrated.wmse", "calibrated.sinkhorn_divergence", "calibrated.deg_jaccard", "calibrated.direction_fidelity",
)  # fmt: skip
"""The two sides share neither cells nor controls: even the truth differs from itself by the noise of a half or a pool."""
OF_SPREAD = ("collapse.norm_ratio", "collapse.variance_ratio", "collapse.variance_ratio_median_gene")
"""The noise of observed effects is taken off below, and the truth as it was observed has it above: more than 1."""
QUIET = SynthSpec(
    name="quiet",
    n_contexts=5, n_genes=96, n_singles=16, n_doubles=4, n_modules=4, n_batches=1,
    cells=60, controls=400, depth=1e5, depth_spread=0, dispersion=0, batch_spread=0, basal_spread=0.3, context_spread=0.3,
)  # fmt: skip
"""A screen that counts so deeply, and whose cells are so alike, that hardly any noise is left."""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Forms:
    folder = Path(tmp_path_factory.mktemp("quiet"))
    dataset = open_dataset(make_synthetic(QUIET, folder / "quiet"))
    split = create_split(dataset, "context_ood")
    bench = Bench(dataset, split, build_task(dataset, split, "val", cache=folder / "tasks"))
    return {form: score_oracle(form, bench, folder / form) for form in FORMS}


def test_without_noise_the_truth_reaches_every_optimum(quiet: Forms) -> None:
    assert short_of_the_optimum(quiet) == {}


def test_on_the_demo_it_reaches_every_optimum_but_for_the_noise_of_the_experiment(demo_controls) -> None:
    forms = demo_controls["oracle"].replicates
    assert set(short_of_the_optimum(forms)) <= {*OF_NOISE, *OF_SPREAD}


def test_where_noise_is_on_both_sides_the_truth_is_above_the_duplicate(demo_controls) -> None:
    forms, duplicate = demo_controls["oracle"].replicates, demo_controls[POSITIVE_ANCHOR]
    for name in OF_NOISE:
        card = cards()[name]
        assert any(card.better(form.overall[name], duplicate.overall(name)) for form in forms.values()), name
    for name in OF_SPREAD:
        assert forms["effects"].overall[name] > 1


def test_every_directed_metric_that_is_defined_for_any_form_is_asked(demo_controls) -> None:
    forms = demo_controls["oracle"].replicates
    silent = {name for name in directed() if not values_of(name, forms)}
    assert {name.partition(".")[0] for name in silent} <= {"uncertainty"}
    assert len(silent) <= 2, silent


def directed() -> dict[str, Card]:
    return {
        name: card
        for name, card in cards().items()
        if card.direction is not Direction.NONE and card.optimum is not None
    }


def values_of(name: str, forms: Forms) -> list[float]:
    told = [form.overall.get(name, math.nan) for form in forms.values()]
    return [value for value in told if not math.isnan(value)]


def short_of_the_optimum(forms: Forms) -> dict[str, list[float]]:
    """Metrics that no form of the truth brings to their optimum, with what was found."""
    found = {name: (card, values_of(name, forms)) for name, card in directed().items()}
    return {
        name: values
        for name, (card, values) in found.items()
        if values and not any(reached(card, value, tolerance(name)) for value in values)
    }


def tolerance(name: str) -> float:
    if "conformal" in name or name.endswith(("pit_ks", "coverage_90_strongest", "aurc_gain", "spearman")):
        return FEW
    return SAMPLED if name.startswith("uncertainty.") or name in OF_NOISE else EXACT


def reached(card: Card, value: float, within: float) -> bool:
    """At the optimum, or beyond it where noise is taken off."""
    if card.direction is Direction.TARGET:
        return abs(value - card.optimum) <= within
    if card.direction is Direction.HIGHER:
        return value >= card.optimum - within
    return value <= card.optimum + within
