"""The one trainer: AdamW, cosine, clipping, a moving average of weights, early stopping on held-out conditions, resume.

What is drawn in a step depends on the seed and the step alone, so a training taken up again ends where it would have.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from perturbfm.checkpoint import Checkpoint, optimiser_tensors, packed, restore_optimiser, unpacked
from perturbfm.curves import Curve
from perturbfm.losses import Goal, Outputs, Weights
from perturbfm.network import EffectNetwork, Inputs
from perturbfm.shrinkage import shrunk_error
from perturbfm.training_set import Examples

Report = Callable[[int, int, Mapping[str, float]], None]
"""Told the step, the number of steps and what was measured."""
EVALUATED_AT_ONCE = 512


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    steps: int = 400
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    average: float = 0.999
    """Decay of the moving average of weights, less at first."""
    variance_after: float = 1 / 3
    """Share of the steps before the variance is trained."""
    evaluate_every: int = 25
    patience: int = 8
    """Evaluations without a better one until it stops."""
    checkpoint_every: int = 200
    augment: bool = True
    """Control states from resampled cells."""
    precision: str = "auto"
    """`auto`: bfloat16 on an accelerator that has it; `full`: float32."""
    squared: float = 1.0
    likelihood: float = 0.5
    cosine: float = 0.2
    contrast: float = 0.1
    beta: float = 0.5

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Recipe:
        """The parameters of a submission that speak of training."""
        return cls(**{f.name: params[f.name] for f in fields(cls) if f.name in params})

    @property
    def weights(self) -> Weights:
        return Weights(self.squared, self.likelihood, self.cosine, self.contrast, self.beta)


@dataclass
class Progress:
    """Where a training stands, apart from its tensors."""

    step: int = 0
    best_step: int = 0
    best_error: float = math.inf
    since_best: int = 0
    curve: Curve = field(default_factory=Curve)


class Training:
    """A network on its way. After `run` it has the weights of its best step."""

    def __init__(
        self,
        network: EffectNetwork,
        fit: Examples,
        recipe: Recipe,
        seed: int,
        *,
        validation: Examples | None = None,
        until: int | None = None,
        folder: Path | None = None,
        name: str = "training",
    ) -> None:
        """`until` ends the schedule early, for a training without held-out conditions."""
        self.network, self.fit, self.recipe, self.seed, self.validation = (
            network,
            fit,
            recipe,
            seed,
            validation,
        )
        self.device = next(network.parameters()).device
        self.until = recipe.steps if until is None else until
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self._live = network.state_dict()  # the tensors themselves: collected once, not in each step
        self.average = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self.best = dict(self.average)
        self.progress = Progress()
        self.checkpoint = (
            None
            if folder is None
            else Checkpoint(
                folder,
                name,
                {
                    "design": asdict(network.design),
                    "recipe": asdict(recipe),
                    "seed": seed,
                    "until": self.until,
                    "goal": _digest(fit.goal),
                    "held_out": None if validation is None else _digest(validation.goal),
                },
            )
        )

    def run(self, report: Report | None = None) -> Progress:
        """Train to the end, or to where held-out conditions are no better predicted any more."""
        self._resume()
        if self.progress.step == 0 and self.validation is not None:
            self._evaluate()
        while self.progress.step < self.until and not self._no_better():
            loss = self._step()
            step = self.progress.step
            if step % self.recipe.evaluate_every == 0 or step == self.until:
                measured = {"loss": loss}
                if self.validation is not None:
                    measured["validation"] = self._evaluate()
                self.progress.curve.add(step, **measured)
                if report is not None:
                    report(step, self.until, measured)
            if self.checkpoint is not None and step % self.recipe.checkpoint_every == 0:
                self._save()
        self.network.load_state_dict(self.best if self.validation is not None else self.average)
        self.network.eval()
        return self.progress

    def _no_better(self) -> bool:
        return self.validation is not None and self.progress.since_best >= self.recipe.patience

    def _step(self) -> float:
        recipe, step = self.recipe, self.progress.step
        seed_torch(derived(self.seed, "network", step), self.device)
        inputs, goal = self.fit.batch(
            recipe.batch, np.random.default_rng([self.seed, 1, step]), recipe.augment
        )
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate * schedule(step / recipe.steps, recipe.warmup)
        if not self.network.training:
            self.network.train()
        with self._precision():
            loss = self.network.loss(
                inputs.to(self.device),
                goal.to(self.device),
                recipe.weights,
                with_variance=step >= recipe.variance_after * recipe.steps,
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step()
        self.progress.step += 1
        self._move_average()
        return float(loss.detach())

    def _move_average(self) -> None:
        decay = min(self.recipe.average, (1 + self.progress.step) / (10 + self.progress.step))
        torch._foreach_lerp_(
            [self.average[name] for name in self._live], list(self._live.values()), 1 - decay
        )

    def _evaluate(self) -> float:
        """Held-out error of the averaged weights; they are kept if it is the least so far."""
        assert self.validation is not None
        own = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        error = shrunk_error(outputs_of(self.network, self.validation), self.validation.goal)
        self.network.load_state_dict(own)
        progress = self.progress
        progress.since_best += 1
        if error < progress.best_error:
            progress.best_error, progress.best_step, progress.since_best = error, progress.step, 0
            self.best = {name: tensor.clone() for name, tensor in self.average.items()}
        return error

    def _precision(self) -> AbstractContextManager[Any]:
        if self.recipe.precision == "auto" and self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", torch.bfloat16)
        return nullcontext()

    def _save(self) -> None:
        assert self.checkpoint is not None
        tensors = {
            **packed("network", self.network.state_dict()),
            **packed("average", self.average),
            **packed("best", self.best),
            **packed("optimiser", optimiser_tensors(self.optimiser)),
        }
        self.checkpoint.save(self.progress.step, tensors, asdict(self.progress))

    def _resume(self) -> None:
        found = self.checkpoint.load() if self.checkpoint is not None else None
        if found is None:
            return
        _, tensors, facts = found
        self.network.load_state_dict(unpacked("network", tensors))
        self.average = {name: tensor.to(self.device) for name, tensor in unpacked("average", tensors).items()}
        self.best = {name: tensor.to(self.device) for name, tensor in unpacked("best", tensors).items()}
        restore_optimiser(self.optimiser, unpacked("optimiser", tensors))
        self.progress = Progress(**{**facts, "curve": Curve(**facts["curve"])})


def outputs_of(network: EffectNetwork, examples: Examples) -> Outputs:
    """What a network says of all examples, on the CPU."""
    return predict(network, examples.inputs(np.arange(len(examples))))


@torch.no_grad()
def predict(network: EffectNetwork, inputs: Inputs) -> Outputs:
    """What a network says of conditions, a few at a time."""
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(inputs.ids), EVALUATED_AT_ONCE):
        block = torch.arange(start, min(start + EVALUATED_AT_ONCE, len(inputs.ids)))
        parts.append(network(inputs.take(block).to(device)))
    return Outputs(
        *(torch.cat([getattr(part, name).float().cpu() for part in parts]) for name in Outputs._fields)
    )


def schedule(done: float, warmup: float) -> float:
    """Share of the learning rate: linear to 1, then a cosine down to 1 %."""
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def seed_torch(seed: int, device: torch.device) -> None:
    """As `torch.manual_seed`, which keeps a trace of every call for accelerators that were never used."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def derived(*axes: object) -> int:
    """A seed from named axes."""
    return int.from_bytes(hashlib.sha256(repr(axes).encode()).digest()[:7], "big")


def _digest(goal: Goal) -> str:
    target: Tensor = goal.target
    return hashlib.sha256(target.numpy().tobytes()).hexdigest()
