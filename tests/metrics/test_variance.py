"""What a claimed variance becomes before it meets an observed effect."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.variance import own_uncertainty, total_variance

VAR, EPISTEMIC = np.array([[4.0, 8.0]]), np.array([[1.0, 2.0]])
CELLS, REFERENCE, N = np.array([[0.5, 0.25]]), np.array([[0.1, 0.2]]), np.array([4])


@pytest.mark.parametrize(
    ("kind", "expected"), [("effect", [4.6, 8.45]), ("observed", [4, 8]), ("cell", [2.1, 4.2])]
)
def test_each_kind_of_variance_gets_what_it_lacks(kind, expected):
    found = total_variance(VAR, EPISTEMIC, kind, CELLS, REFERENCE, N)
    assert found[0] == pytest.approx(expected)


def test_cells_without_an_epistemic_part_bring_none():
    assert total_variance(VAR, None, "cell", CELLS, REFERENCE, N)[0] == pytest.approx([1.1, 2.2])


def test_one_cell_leaves_the_variance_of_an_effect_unknown_and_no_other():
    unknown = np.full((1, 2), np.nan)
    one = np.array([1])
    assert np.isnan(total_variance(VAR, None, "effect", unknown, REFERENCE, one)).all()
    assert np.isfinite(total_variance(VAR, None, "observed", unknown, REFERENCE, one)).all()
    assert np.isfinite(total_variance(VAR, None, "cell", unknown, REFERENCE, one)).all()


@pytest.mark.parametrize(("kind", "expected"), [("effect", VAR), ("observed", VAR), ("cell", EPISTEMIC)])
def test_the_spread_of_cells_is_not_the_models_uncertainty(kind, expected):
    assert np.array_equal(own_uncertainty(VAR, EPISTEMIC, kind), expected)
    assert np.array_equal(own_uncertainty(VAR, None, kind), VAR)


@pytest.mark.parametrize("seed", range(3))
def test_adding_the_sampling_variance_makes_an_honest_model_cover(seed):
    """A model that knows the true effect's distribution covers observations of few cells, whatever their number."""
    rng = np.random.default_rng(seed)
    n_cells, genes, sd = 6, 4000, 0.3
    true = sd * rng.normal(size=genes)
    cells = true + rng.normal(size=(n_cells, genes))
    reference = 0.2 * rng.normal(size=genes)
    observed = cells.mean(axis=0) - reference
    variance = total_variance(
        np.full((1, genes), sd**2),
        None,
        "effect",
        np.full((1, genes), 1 / n_cells),
        np.full((1, genes), 0.04),
        np.array([n_cells]),
    )
    z = observed / np.sqrt(variance[0])
    assert (np.abs(z) <= 1.6449).mean() == pytest.approx(0.9, abs=0.02)
