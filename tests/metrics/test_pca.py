"""Principal axes: the same space however the cells are stored."""

import numpy as np
import pytest

from harness.metrics import pca
from harness.metrics.card import Undefined


@pytest.fixture
def cells():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(700, 6)) @ rng.normal(size=(6, 30)) + rng.normal(size=(700, 30))).astype(
        np.float32
    )


def test_axes_are_orthonormal_and_ordered_by_variance(cells):
    axes = pca.principal_axes(cells, 8)
    np.testing.assert_allclose(axes.axes @ axes.axes.T, np.eye(8), atol=1e-10)
    assert (np.diff(axes.variance) <= 0).all()
    np.testing.assert_allclose(axes.project(cells).var(axis=0, ddof=1), axes.variance, rtol=1e-9)


def test_axes_span_what_a_singular_value_decomposition_finds(cells):
    axes = pca.principal_axes(cells, 5)
    wide = cells.astype(np.float64)
    _, _, right = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(axes.axes @ right[:5].T), np.eye(5), atol=1e-8)


def test_fewer_cells_than_genes_give_the_axes_of_a_singular_value_decomposition_too(cells):
    few = cells[:20]
    over_cells = pca.principal_axes(few, 6)
    assert few.shape[1] > len(few)
    _, _, right = np.linalg.svd(few.astype(float) - few.astype(float).mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(over_cells.axes @ right[:6].T), np.eye(6), atol=1e-6)


def test_memory_mapped_cells_give_the_same_bits(cells, tmp_path):
    np.save(tmp_path / "cells.npy", cells)
    mapped = pca.principal_axes(np.load(tmp_path / "cells.npy", mmap_mode="r"), 7)
    assert np.array_equal(mapped.axes, pca.principal_axes(cells, 7).axes)


def test_the_sign_of_an_axis_does_not_depend_on_the_order_of_cells(cells):
    turned = pca.principal_axes(cells[::-1], 5)
    np.testing.assert_allclose(turned.axes, pca.principal_axes(cells, 5).axes, atol=1e-9)


def test_fewer_cells_than_components_give_fewer_axes(cells):
    assert len(pca.principal_axes(cells[:4], 10).axes) == 3


@pytest.mark.parametrize("lost", [np.zeros((1, 4)), np.ones((5, 4))])
def test_cells_without_variance_have_no_axes(lost):
    assert isinstance(pca.principal_axes(lost), Undefined)


def test_no_more_than_the_stated_number_of_cells_is_used():
    assert len(pca.chosen_rows(100, 2000, seed=0)) == 100
    chosen = pca.chosen_rows(50_000, 2000, seed=0)
    assert len(chosen) == pca.MAX_CELLS
    assert np.array_equal(chosen, pca.chosen_rows(50_000, 2000, seed=0))
    assert len(pca.chosen_rows(50_000, 20_000, seed=0)) == pca.WIDE
