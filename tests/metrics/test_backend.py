"""The torch path gives what numpy gives; without being asked for, torch is never loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.metrics import pairwise, sinkhorn
from harness.metrics.backend import VARIABLE, accelerator, device, product
from harness.metrics.inputs import ConditionCells, Controls
from harness.metrics.pca import principal_axes
from harness.metrics.scperturbench import condition_values


@pytest.fixture
def on_torch(monkeypatch):
    """Compute something twice: with numpy, and with torch on the processor."""
    pytest.importorskip("torch")

    def both(compute):
        monkeypatch.delenv(VARIABLE, raising=False)
        ours = compute()
        assert accelerator() is None
        monkeypatch.setenv(VARIABLE, "torch")
        assert accelerator() is not None
        return ours, compute()

    return both


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    return lambda n, genes=40: rng.gamma(0.5, 2.0, (n, genes))


def test_squared_distances_agree(on_torch, cells):
    x, y = cells(70), cells(90)
    y[:5] = x[:5]
    y[5] = x[5] + 1e-9
    ours, theirs = on_torch(lambda: pairwise.squared_distances(x, y))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-24)
    assert theirs[0, 0] == 0
    assert theirs[5, 5] == pytest.approx(40 * 1e-18, rel=1e-5)
    ours, theirs = on_torch(lambda: pairwise.squared_distances(x, x, same=True))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9)
    assert not theirs.diagonal().any()


def test_sums_of_distances_agree_over_several_blocks(on_torch, cells):
    x, y = cells(1500, 6), cells(1100, 6)
    for compute in (lambda: pairwise.sum_of_distances(x), lambda: pairwise.sum_of_distances(x, y)):
        ours, theirs = on_torch(compute)
        assert theirs == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("share", [1 / 20, 1.0])
def test_transport_agrees_with_the_same_number_of_iterations(on_torch, cells, share):
    cost = pairwise.squared_distances(cells(60), cells(45))
    ours, theirs = on_torch(lambda: sinkhorn.transport(cost, float(cost.mean()) * share))
    assert theirs.iterations == ours.iterations > 0
    assert (theirs.value, theirs.converged) == (pytest.approx(ours.value, rel=1e-9), ours.converged)


def test_products_and_principal_axes_agree(on_torch, cells):
    x, y = cells(50), cells(30)
    ours, theirs = on_torch(lambda: product(x, y))
    np.testing.assert_allclose(theirs, ours, rtol=1e-12)
    ours, theirs = on_torch(lambda: principal_axes(x, 5))
    np.testing.assert_allclose(theirs.axes, ours.axes, rtol=1e-9, atol=1e-9)


def test_a_whole_panel_agrees(on_torch, cells):
    observed, predicted, controls = (cells(n).astype(np.float32) for n in (60, 50, 80))
    ours, theirs = on_torch(
        lambda: condition_values(ConditionCells(observed, predicted, Controls(controls)), (20, "all"))
    )
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value, rel=1e-9), name


def test_nothing_loads_torch_unless_a_device_is_asked_for():
    code = (
        "import sys, numpy as np; from harness.metrics.pairwise import sum_of_distances\n"
        "assert sum_of_distances(np.eye(3)) > 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""})


def test_a_device_that_is_not_there_is_refused_and_says_what_may_be_asked_for(monkeypatch):
    monkeypatch.setenv(VARIABLE, "cuda:99")
    with pytest.raises(HarnessError, match="cannot be used") as refused:
        pairwise.squared_distances(np.eye(2), np.eye(2))
    assert "cuda:99" in str(refused.value)
    monkeypatch.setenv(VARIABLE, "")
    assert device() == "cpu"
