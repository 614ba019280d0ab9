"""Training: the same seed gives the same bits, and a training that was killed ends where it would have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.learned import untrained
from perturbfm.trainer import Training, schedule
from perturbfm.training_set import held_out

from .killed import until_done


def training(problem, folder: Path | None = None, name: str = "v3", seed: int = 0) -> Training:
    held = held_out(problem.task, problem.labelled)
    part = problem.part(~held)
    network = untrained(problem, getattr(models, name).build, part, seed)
    validation = part.others(problem.labelled.subset(held))
    return Training(network, part.examples(), problem.recipe, seed, validation=validation, folder=folder)


def digest(network) -> str:
    weights = network.state_dict()
    return hashlib.sha256(b"".join(weights[name].numpy().tobytes() for name in sorted(weights))).hexdigest()


class KilledError(Exception):
    pass


@pytest.mark.parametrize("step", [4, 8])
def test_a_training_taken_up_again_ends_with_the_same_bits(problem, tmp_path, step):
    read = problem("v3", patience=99)
    whole = training(read)
    curve = whole.run()

    def kill(at: int, of: int, measured) -> None:
        if at > step:
            raise KilledError

    cut = training(read, tmp_path / "model")
    with pytest.raises(KilledError):
        cut.run(kill)
    again = training(read, tmp_path / "model")
    assert again.run() == curve
    assert digest(again.network) == digest(whole.network)


def kills(read, folder: Path, at: list[int], name: str = "v3") -> None:
    """Kill a training at some steps, one after the other, and compare with one that was left alone."""

    def work(folder, tell) -> str:
        run = training(read, folder, name)
        run.run(lambda step, of, measured: tell(step))
        return digest(run.network)

    whole = work(
        None, lambda step: None
    )  # here, so that forks find imported what an optimiser imports at first
    found, first = until_done(lambda tell: work(folder, tell), at)
    assert found == whole
    assert first == sorted(first)
    assert first[-1] > 1


def test_killed_with_signal_9_at_3_random_steps_it_ends_with_the_same_weights(problem, tmp_path):
    read = problem("v3", patience=99, steps=24, evaluate_every=1, checkpoint_every=2)
    kills(read, tmp_path / "model", np.sort(np.random.default_rng(0).integers(3, 22, size=3)).tolist())


@pytest.mark.long
@pytest.mark.parametrize("name", ["v0", "v3", "v3a"])
def test_killed_with_signal_9_at_20_random_steps_it_ends_with_the_same_weights(problem, tmp_path, name):
    read = problem(name, patience=999, steps=80, evaluate_every=1, checkpoint_every=2)
    at = np.random.default_rng(1).choice(np.arange(2, 75), size=20, replace=False)
    kills(read, tmp_path / "model", np.sort(at).tolist(), name)


def test_another_configuration_does_not_take_up_a_checkpoint(problem, tmp_path):
    training(problem("v0"), tmp_path, "v0").run()
    assert training(problem("v0"), tmp_path, "v0", seed=1).checkpoint.load() is None
    assert training(problem("v0", width=9), tmp_path, "v0").checkpoint.load() is None
    assert training(problem("v0"), tmp_path, "v0").checkpoint.load() is not None


def test_one_checkpoint_is_kept_and_nothing_is_pickled(problem, tmp_path):
    training(problem("v0", patience=99), tmp_path / "model", "v0").run()
    assert sorted(file.suffix for file in (tmp_path / "model").iterdir()) == [".json", ".safetensors"]


def test_the_best_weights_are_restored(problem):
    run = training(problem("v0", learning_rate=0.5, patience=99), name="v0")
    progress = run.run()
    errors = progress.curve.values["validation"]
    assert progress.best_error <= min(errors) + 1e-6
    assert all(torch.equal(run.best[k], v) for k, v in run.network.state_dict().items())


def test_it_stops_when_held_out_conditions_are_no_better_predicted(problem):
    progress = training(
        problem("v0", learning_rate=1.0, patience=1, steps=400, evaluate_every=2), name="v0"
    ).run()
    assert progress.step < 400


def test_the_learning_rate_rises_and_falls():
    rates = [schedule(done, 0.1) for done in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == 1.0 > rates[3] > rates[4] > 0
