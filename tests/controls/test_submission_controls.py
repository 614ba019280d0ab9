"""What a submission's own predictions say under other labels, other genes and other sizes."""

from __future__ import annotations

import numpy as np
import pytest

from harness.controls.submission_controls import submission_controls
from harness.controls.transformed import shuffled_labels

CENTRED, RETRIEVAL, RATIO = "calibrated.pcc_delta_centred", "calibrated.retrieval", "calibrated.error_ratio"


@pytest.fixture(scope="module")
def knowing(score, true_effects):
    """A submission that knows the truth up to a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.05, true_effects.shape)
    return score("knowing", true_effects + noise)


@pytest.fixture(scope="module")
def own(knowing):
    return submission_controls(knowing, workers=1)


def test_a_submission_that_knows_is_far_above_its_shuffled_self(knowing, own):
    table = own["scale_sweep"].replicates["1"]
    shuffled = own["shuffled_labels"]
    for metric in (CENTRED, RETRIEVAL):
        assert table.overall[metric] > shuffled.overall(metric) + 0.3
    assert shuffled.overall(RATIO) > table.overall[RATIO]


def test_shuffled_genes_correlate_with_nothing(own):
    assert abs(own["shuffled_genes"].overall("calibrated.pcc_delta")) < 0.2
    assert abs(own["shuffled_genes"].overall(RETRIEVAL) - 0.5) < 0.35


def test_the_sweep_is_best_at_the_size_that_was_predicted(own):
    found = {label: one.overall[RATIO] for label, one in own["scale_sweep"].replicates.items()}
    assert list(found) == ["0.25", "0.5", "1", "2", "4"]
    assert min(found, key=found.__getitem__) == "1"


def test_the_sweep_of_too_large_effects_is_best_below_one(score, true_effects):
    found = submission_controls(score("large", 4 * true_effects), workers=1)["scale_sweep"]
    values = {label: one.overall[RATIO] for label, one in found.replicates.items()}
    assert min(values, key=values.__getitem__) == "0.25"


def test_labels_are_deranged_within_their_context(knowing):
    engine = knowing.engine
    rows = shuffled_labels(engine.inputs, engine.truth).rows
    of_row = engine.truth.query_condition
    for index, asked in enumerate(engine.truth.conditions):
        sources = {int(of_row[rows[row]]) for row in engine.answers.rows[index]}
        (source,) = sources
        stranger = engine.truth.conditions[source]
        if asked.kind != "reported":
            assert source == index
            continue
        assert source != index
        assert stranger.kind == "reported"
        assert stranger.condition.context == asked.condition.context


def test_two_processes_make_the_bits_of_one(knowing, own):
    two = submission_controls(knowing, workers=2)
    for one in own:
        for a, b in zip(one.tables, two[one.card.name].tables, strict=True):
            assert all(a.values[m].tobytes() == b.values[m].tobytes() for m in a.values)


def test_a_control_of_a_submission_speaks_of_reported_conditions(own):
    for name in ("shuffled_labels", "shuffled_genes", "scale_sweep"):
        for table in own[name].tables:
            assert {one.kind for one in table.conditions} == {"reported"}
