"""Which genes are kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from harness.datasets.gene_space import GeneMoments, choose_genes, normalised_dispersion


@pytest.fixture
def log_values() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.poisson(rng.uniform(0.5, 4, 40), (500, 40)).astype(float)
    values[:, 3] *= rng.integers(0, 8, 500)
    values[:, 9] = 0
    return np.log1p(values)


def moments_of(values: np.ndarray, step: int = 500) -> GeneMoments:
    moments = GeneMoments(values.shape[1])
    for start in range(0, len(values), step):
        moments.add(sparse.csr_array(values[start : start + step]))
    return moments


def test_moments_are_those_of_the_linear_values_whatever_the_blocks(log_values: np.ndarray) -> None:
    moments = moments_of(log_values, 7)
    linear = np.expm1(log_values)
    np.testing.assert_allclose(moments.mean, linear.mean(axis=0))
    np.testing.assert_allclose(moments.variance, linear.var(axis=0, ddof=1))
    np.testing.assert_array_equal(moments.detected, (linear > 0).sum(axis=0))


def test_the_gene_that_varies_beyond_its_mean_comes_first_and_a_silent_one_never(
    log_values: np.ndarray,
) -> None:
    score = normalised_dispersion(moments_of(log_values))
    assert score[9] == -np.inf
    chosen, rule = choose_genes([f"g{i}" for i in range(40)], moments_of(log_values), keep=["g9"], top_hvg=20)
    assert 3 in chosen
    assert 9 in chosen, "a perturbed gene is always kept"
    assert len(chosen) == 21
    assert rule == "20 HVGs of pool-A controls; perturbed genes always"
    without, _ = choose_genes([f"g{i}" for i in range(40)], moments_of(log_values), keep=[], top_hvg=40)
    assert len(without) == 39


def test_genes_found_in_too_few_controls_are_dropped(log_values: np.ndarray) -> None:
    chosen, _ = choose_genes(
        [f"g{i}" for i in range(40)], moments_of(log_values), keep=[], min_control_cells=1
    )
    assert chosen.tolist() == [i for i in range(40) if i != 9]
