"""Pretraining learns, is the same whoever computes it, and goes on from a kill with the same bits."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm.pretrain.autoencoder import Moments, Objective
from perturbfm.pretrain.ranks import joined
from perturbfm.pretrain.refusal import RefusedError

from ..killed import child, until_done  # noqa: TID252
from .conftest import digest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("objective", ["denoise", "masked"])
@pytest.mark.parametrize("encoder", ["mlp", "transformer"])
def test_it_rebuilds_held_out_cells_better_than_their_mean(pretraining, objective, encoder):
    run = pretraining(
        objective=objective,
        encoder=encoder,
        steps=60,
        batch=64,
        width=16,
        learning_rate=0.01,
        evaluate_every=60,
    )
    progress = run.run()
    assert progress.curve.values["held_out"][-1] < 0.95 * progress.begun


def test_a_batch_reads_its_own_rows_from_disk_and_no_more(pretraining):
    run = pretraining(steps=3, evaluate_every=100)
    read = []

    class Counting:
        def __getitem__(self, rows, X=run.source.X):
            read.append(len(rows))
            return X[rows]

    object.__setattr__(run.source, "X", Counting())
    run._step()
    run._step()
    assert read == [16, 16]


def test_moments_are_those_of_the_cells(source):
    moments = Moments.of(source)
    np.testing.assert_allclose(moments.mean, source.X[source.rows].mean(axis=0), atol=1e-5)
    assert (moments.scale > source.X[source.rows].std(axis=0)).all()


def test_the_loss_of_the_mean_is_1_and_counts_hidden_genes_alone_where_they_are_the_goal():
    cells = torch.randn(64, 500, generator=torch.Generator().manual_seed(0))
    for name in ("denoise", "masked"):
        objective = Objective(name)
        _, hidden = objective.spoil(cells, [torch.Generator().manual_seed(1)])
        assert float(objective.loss(torch.zeros_like(cells), cells, hidden)) == pytest.approx(1, abs=0.05)
    wrong_where_seen = torch.where(hidden, cells, 9.0)
    assert float(objective.loss(wrong_where_seen, cells, hidden)) == 0


class KilledError(Exception):
    pass


def test_taken_up_again_after_any_step_it_ends_with_the_same_bits(pretraining, tmp_path):
    whole = pretraining()
    curve = whole.run()

    def kill(step: int, of: int, measured) -> None:
        if step == 7:
            raise KilledError

    with pytest.raises(KilledError):
        pretraining(tmp_path / "out").run(kill)
    again = pretraining(tmp_path / "out")
    assert again.run() == curve
    assert digest(again) == digest(whole)


def kills(pretraining, folder: Path, steps: int, at: list[int]) -> None:
    """Kill a pretraining at some steps, one after the other, and compare with one that was left alone."""

    def work(folder, tell):
        run = pretraining(folder, steps=steps, checkpoint_every=2)
        run.run(lambda step, of, measured: tell(step))
        return digest(run)

    whole = work(
        None, lambda step: None
    )  # here, so that forks find imported what an optimiser imports at first
    found, first = until_done(lambda tell: work(folder, tell), at)
    assert found == whole
    assert first == sorted(first)
    assert first[-1] > 1


def test_killed_with_signal_9_at_3_random_steps_it_ends_with_the_same_bits(pretraining, tmp_path):
    at = np.sort(np.random.default_rng(0).integers(3, 22, size=3)).tolist()
    kills(pretraining, tmp_path / "out", 24, at)


@pytest.mark.long
def test_killed_with_signal_9_at_20_random_steps_it_ends_with_the_same_bits(pretraining, tmp_path):
    at = np.sort(np.random.default_rng(1).choice(np.arange(2, 75), size=20, replace=False)).tolist()
    kills(pretraining, tmp_path / "out", 80, at)


def test_another_pretraining_in_the_same_folder_is_refused(pretraining, tmp_path):
    pretraining(tmp_path / "out", steps=2).run()
    with pytest.raises(RefusedError, match="another pretraining was begun") as refused:
        pretraining(tmp_path / "out", steps=2, seed=1).run()
    assert "settings" in str(refused.value)


def test_a_batch_that_cannot_be_cut_into_lanes_is_refused(pretraining):
    with pytest.raises(RefusedError, match="multiple of 8"):
        pretraining(batch=12)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def curve_of(run) -> str:
    return ",".join(map(repr, run.run().curve.values["loss"]))


@pytest.mark.parametrize("objective", ["denoise", "masked"])
def test_two_gloo_ranks_give_the_loss_curve_of_one_process(pretraining, objective):
    port = free_port()

    def rank(number: int):
        def work(tell) -> str:
            os.environ |= {
                "RANK": str(number), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
            }  # fmt: skip
            with joined() as ranks:
                return curve_of(pretraining(ranks=ranks, steps=30, objective=objective))

        return work

    second = os.fork()
    if second == 0:  # the other rank, beside the one whose curve is read
        status = 1
        try:
            child(rank(1), None)
            status = 0
        finally:
            os._exit(status)
    shared = child(rank(0), None)[-1]
    assert os.waitpid(second, 0)[1] == 0
    alone = child(lambda tell: curve_of(pretraining(steps=30, objective=objective)), None)[-1]
    one, two = (np.array(curve.split(","), float) for curve in (alone, shared))
    assert len(one) == 30
    np.testing.assert_allclose(two, one, rtol=1e-5)


@pytest.mark.long
def test_torchrun_with_two_processes_gives_the_curve_of_one(tiny_dataset, split_file, tmp_path):
    import json

    words = [
        "pretrain",
        tiny_dataset.path,
        "--split",
        split_file,
        "--steps",
        20,
        "--batch",
        32,
        "--evaluate-every",
        1,
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'submissions'}", "OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "perturbfm"]
    curves = []
    for name, start in (("one", ["-m", "perturbfm"]), ("two", torchrun)):
        out = tmp_path / name
        command = [sys.executable, *start, *map(str, words), "--out", str(out)]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        curves.append(json.loads((out / "pretraining.json").read_text())["curve"]["loss"])
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-5)
