"""The submission `diffusion`: v3a's mean and variance, and single cells about it by a generative head on its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.sdk import Condition, Predictions
from perturbfm.checkpoint import save_weights
from perturbfm.conditions import Floats
from perturbfm.flow import FlowRecipe, Head, train_head
from perturbfm.learned import Learned, LearnedSubmission, Problem, output_folder
from perturbfm.prediction import Prediction
from perturbfm.scatter import Scatter
from perturbfm.trainer import derived
from perturbfm.transformer import V3A


@dataclass(frozen=True)
class DiffusionSubmission(LearnedSubmission):
    """Rows of a condition differ from each other; their mean is the network's, so that no measure of means can get worse."""

    def answer(
        self, problem: Problem, members: Sequence[Learned], found: Prediction
    ) -> tuple[Predictions, dict[str, Any]]:
        """The rows with their scatter; where the task has no replicates, the rows without."""
        answer, said = super().answer(problem, members, found)
        recipe = FlowRecipe.of(problem.task.params)
        scatter = Scatter.of(problem.task, recipe.axes)
        if scatter is None:
            return answer, {**said, "flow": {"recipe": asdict(recipe), "trained": False}}
        head, losses = fitted(members[0], scatter, recipe, problem.task.seed)
        answer.mean = answer.mean + generated(problem, members[0], scatter, head).astype(np.float32)
        every = max(1, len(losses) // 20)
        curve = [round(float(np.mean(losses[i : i + every])), 5) for i in range(0, len(losses), every)]
        return answer, {**said, "flow": {"recipe": asdict(recipe), "trained": True, "losses": curve}}


def fitted(learned: Learned, scatter: Scatter, recipe: FlowRecipe, seed: int) -> tuple[Head, list[float]]:
    """A head trained on the scatter of training cells."""
    conditions = features(learned, scatter.table)
    torch.manual_seed(derived(seed, "flow weights"))
    head = Head(len(scatter.axes), conditions.shape[1], recipe).to(conditions.device)
    parts = [part.to(conditions.device) for part in (scatter.context, scatter.condition)]
    source, target = scatter.controls.to(conditions.device), scatter.target.to(conditions.device)
    losses = train_head(head, source, target, (parts[0], parts[1]), conditions, seed)
    output = output_folder()
    if output is not None:
        save_weights(head, output / "model" / "head.safetensors", {"mode": recipe.mode})
    return head.eval(), losses


@torch.no_grad()
def features(learned: Learned, asked: Sequence[Condition]) -> Tensor:
    """v3a's vector of each condition. [conditions, width]"""
    network = learned.network
    assert isinstance(network, V3A)
    device = next(network.parameters()).device
    return network.features(learned.part.inputs(asked).to(device))


def generated(problem: Problem, learned: Learned, scatter: Scatter, head: Head) -> Floats:
    """What to add to each row so that the control cells scatter like perturbed ones. [rows, genes]"""
    query, asked = problem.task.query, problem.task.conditions()
    conditions = features(learned, asked.table)
    added = np.zeros(query.X.shape)
    for i in range(len(asked)):
        rows = asked.rows(i)
        if len(rows) < 2:
            continue
        before = scatter.of_cells(query.X[rows])
        names = query.obs["row"][rows]  # a row's noise goes with it wherever it stands
        source = before if head.recipe.mode == "flow" else noise(names, before.shape[1], problem.task.seed)
        told = conditions[i].expand(len(rows), -1)
        after = head.sample(source.to(told.device), told).cpu()
        added[rows] = scatter.change(before, after)
    return added


def noise(rows: np.ndarray[Any, np.dtype[np.int64]], n: int, seed: int) -> Tensor:
    """Standard normal, the same for a row whatever it is asked beside. [rows, n]"""
    drawn = [np.random.default_rng([seed, 2, int(row)]).standard_normal(n) for row in rows]
    return torch.from_numpy(np.array(drawn, np.float32))
