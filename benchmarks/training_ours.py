"""One measurement of the training job: `training_ours.py pace-pretrain|pace-ladder|hold-pretrain|hold-ladder FOLDER STEPS`.

`pace` steps ours and a plain loop over tensors in memory by turns, on the same network; `hold` trains and ends, for its
memory to be watched.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from perturbfm.learned import Problem, untrained
from perturbfm.models import v3
from perturbfm.network import Design
from perturbfm.pretrain.artifact import artifact_source
from perturbfm.pretrain.splits import read_split
from perturbfm.pretrain.training import Pretraining, Settings
from perturbfm.trainer import Training
from torch import Tensor

from harness.sdk import load_task

TURN = 10
"""Steps until the other one steps: what else the machine does meets both alike."""


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def plain_loop(
    network: torch.nn.Module, batch: int, rows: int, learning_rate: float, loss_of: Callable[[Tensor], Tensor]
) -> Callable[[], None]:
    """A training step as in a tutorial: indices, loss, backward, clip, step; `loss_of` reads tensors in memory."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-2, fused=True)

    def step() -> None:
        loss = loss_of(torch.randint(rows, (batch,)))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        loss.item()

    return step


def pretraining(folder: Path, steps: int, out: Path) -> Pretraining:
    split = next((folder.parent / f"{folder.name}-splits").glob("*.json"))
    source = artifact_source(folder, out, [read_split(split)])
    settings = Settings(steps=10 * steps, batch=256, evaluate_every=10**9, checkpoint_every=10**9)
    return Pretraining(source, Design(), settings)


def ladder(folder: Path, steps: int) -> tuple[Problem, Training]:
    task = load_task(folder)
    task.params = {"steps": 10 * steps, "graph": "none", "start": ["train_mean"]}
    problem = Problem.read(task)
    part = problem.part()
    network = untrained(problem, v3.build, part, 0)
    return problem, Training(network, part.examples(), problem.recipe, 0)


def pace_pretrain(folder: Path, steps: int, out: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    ours, other = pretraining(folder, steps, out), pretraining(folder, steps, out)
    cells = torch.from_numpy(other.source.cells(np.arange(len(other.source))))
    cells = (cells - other._mean) / other._scale
    generator = torch.Generator()

    def loss(rows: Tensor) -> Tensor:
        chosen = cells[rows]
        spoiled, hidden = other.settings.objective.spoil(chosen, [generator])
        return other.settings.objective.loss(other.model(spoiled), chosen, hidden)

    return ours._step, plain_loop(other.model, 256, len(cells), 1e-3, loss)


def pace_ladder(folder: Path, steps: int) -> tuple[Callable[[], object], Callable[[], None]]:
    ours, other = ladder(folder, steps)[1], ladder(folder, steps)[1]
    inputs, goal = other.fit.inputs(np.arange(len(other.fit))), other.fit.goal
    recipe = other.recipe

    def loss(rows: Tensor) -> Tensor:
        return other.network.loss(inputs.take(rows), goal.take(rows), recipe.weights, with_variance=False)

    other.network.train()
    return ours._step, plain_loop(other.network, recipe.batch, len(other.fit), recipe.learning_rate, loss)


def paced(pair: tuple[Callable[[], object], Callable[[], None]], steps: int) -> dict[str, float]:
    """CPU and wall seconds per step of each, the median over turns."""
    spent: dict[str, list[tuple[float, float]]] = {"ours": [], "plain": []}
    for turn in range(max(3, steps // TURN)):
        for name, step in zip(spent, pair, strict=True):
            cpu, wall = cpu_s(), time.perf_counter()
            for _ in range(TURN):
                step()
            if turn:  # the first turn warms up
                spent[name].append(((cpu_s() - cpu) / TURN, (time.perf_counter() - wall) / TURN))
    return {
        f"{name}_{what}_s": statistics.median(part[place] for part in parts)
        for name, parts in spent.items()
        for place, what in enumerate(("cpu", "wall"))
    }


def main() -> None:
    what, folder, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    import_cpu_s = cpu_s()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        if what == "pace-pretrain":
            found = paced(pace_pretrain(folder, steps, out), steps)
        elif what == "pace-ladder":
            found = paced(pace_ladder(folder, steps), steps)
        else:
            run = pretraining(folder, steps, out) if what == "hold-pretrain" else ladder(folder, steps)[1]
            for _ in range(steps):
                run._step()
    print(json.dumps({"import_cpu_s": import_cpu_s, **found}))


if __name__ == "__main__":
    main()
