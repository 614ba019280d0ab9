"""Seeds, devices, threads, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from external_kit import checkpoint, prepare, threads

from harness.sdk import SdkError, Task, load_task

torch = pytest.importorskip("torch")


@pytest.fixture
def task(handmade_task: Callable[..., Path]) -> Task:
    return load_task(handmade_task([("c1", "G1")], [("c1", "G1")]))


def test_the_seed_of_the_run_seeds_every_generator(task: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))

    def drawn(seed: int) -> tuple[float, float]:
        task.seed = seed
        assert prepare(task, "cpu") == "cpu"
        return float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002  what packages draw from

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_there_is_refused_and_auto_steps_down(task: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    assert prepare(task, "auto") == "cpu"
    with pytest.raises(SdkError, match="no GPU"):
        prepare(task, "cuda")
    with pytest.raises(SdkError, match="unknown device"):
        prepare(task, "tpu")


def test_threads_and_the_folder_for_checkpoints_are_the_harness_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads() == 3
    monkeypatch.setenv("HARNESS_OUTPUT", str(tmp_path))
    place = checkpoint("weights.npz")
    assert place == tmp_path / "model" / "weights.npz"
    assert place.parent.is_dir()
    monkeypatch.delenv("HARNESS_OUTPUT")
    assert checkpoint("weights.npz") is None
