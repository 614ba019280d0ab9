"""Training: the same seed gives the same bits, and a training that was killed ends where it would have."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from perturbfm import models
from perturbfm.learned import untrained
from perturbfm.trainer import Training, schedule
from perturbfm.training_set import held_out

from .conftest import SUBMISSIONS


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


SCRIPT = """
import sys
from pathlib import Path
from harness.sdk import load_task
from tests.submissions.perturbfm.conftest import with_params
from tests.submissions.perturbfm.test_trainer import digest, training
from perturbfm.learned import Problem
problem = Problem.read(with_params(load_task(Path(sys.argv[1])), "v3", patience=99, steps=40, evaluate_every=1))
one = training(problem, Path(sys.argv[2]) if sys.argv[2] else None)
one.run(lambda step, of, measured: print(step, flush=True))
print(digest(one.network))
"""


def test_a_training_killed_with_signal_9_goes_on_and_ends_with_the_same_weights(small_task, tmp_path):
    folder = small_task().folder
    root = SUBMISSIONS.parent
    environment = {**os.environ, "PYTHONPATH": f"{root}:{SUBMISSIONS}", "OMP_NUM_THREADS": "1"}

    def start(model: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-c", SCRIPT, str(folder), model]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment, cwd=root)

    whole = start("").communicate()[0].split()
    for stop in np.random.default_rng(0).integers(5, 39, size=2):
        with start(str(tmp_path / "model")) as process:
            for line in process.stdout:
                if int(line) >= stop:
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode == -signal.SIGKILL
    resumed = start(str(tmp_path / "model")).communicate()[0].split()
    assert resumed[-1] == whole[-1]
    assert int(resumed[0]) > 1


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
