"""A generative head: how single cells scatter about the effect of their condition, learned in principal axes.

The mean of a condition stays that of the network; what is generated is the residual of each cell, so that predicted cells
have the spread and the shape of perturbed ones. `flow`: conditional flow matching from control cells, x_t = (1−t)x₀ + t x₁
with velocity x₁ − x₀ (Lipman et al. 2023). `ddpm`: denoising from noise (Ho et al. 2020), sampled as DDIM does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from perturbfm.heads import FiLM, zeroed
from perturbfm.trainer import derived, seed_torch

MODES = ("flow", "ddpm")
FREQUENCIES = 8


@dataclass(frozen=True)
class FlowRecipe:
    """How the head is built and trained."""

    mode: str = "flow"
    steps: int = 30
    """From source to sample."""
    axes: int = 50
    hidden: int = 128
    depth: int = 3
    dropped: float = 0.1
    """How often the condition is withheld in training."""
    guidance: float = 1.0
    """1: the conditional velocity; more: further from the unconditional one."""
    training_steps: int = 400
    batch: int = 128
    learning_rate: float = 1e-3

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> FlowRecipe:
        """Parameters that begin with `flow_`."""
        found = cls(**{f.name: params[f"flow_{f.name}"] for f in fields(cls) if f"flow_{f.name}" in params})
        if found.mode not in MODES:
            raise ValueError(f"unknown flow_mode {found.mode!r}; one of {', '.join(MODES)}")
        return found


class Head(nn.Module):
    """What to add to a point at a time, given a condition. [B, axes] × [B] × [B, width] → [B, axes]"""

    def __init__(self, axes: int, width: int, recipe: FlowRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.enter = nn.Linear(axes, recipe.hidden)
        self.condition = nn.Linear(width + 2 * FREQUENCIES, recipe.hidden)
        self.blocks = nn.ModuleList(FiLM(recipe.hidden, recipe.hidden, 0.0) for _ in range(recipe.depth))
        self.leave = zeroed(nn.Linear(recipe.hidden, axes))

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """The velocity of a flow, or the clean point of a diffusion."""
        told = torch.nn.functional.gelu(self.condition(torch.cat([condition, waves(time)], dim=1)))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, told)
        return torch.as_tensor(self.leave(h))

    def loss(self, source: Tensor, target: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Squared error of the velocity, or of the clean point, at a random time."""
        if self.recipe.mode == "flow":
            point = (1 - time)[:, None] * source + time[:, None] * target
            return (self(point, time, condition) - (target - source)).square().mean()
        keep = signal(time)[:, None]
        point = keep.sqrt() * target + (1 - keep).sqrt() * source
        return (self(point, time, condition) - target).square().mean()

    @torch.no_grad()
    def sample(self, source: Tensor, condition: Tensor) -> Tensor:
        """From control cells or noise to residuals of perturbed cells. [B, axes]"""
        x, steps = source, self.recipe.steps
        for step in range(steps):
            if self.recipe.mode == "flow":
                x = x + self._guided(x, step / steps, condition) / steps
                continue
            time, then = 1 - step / steps, 1 - (step + 1) / steps
            clean = self._guided(x, time, condition)
            now, next_ = signal(torch.tensor(time)), signal(torch.tensor(then))
            noise = (x - now.sqrt() * clean) / (1 - now).sqrt()
            x = next_.sqrt() * clean + (1 - next_).sqrt() * noise
        return x

    def _guided(self, x: Tensor, time: float, condition: Tensor) -> Tensor:
        times = torch.full((len(x),), time, device=x.device)
        told = self(x, times, condition)
        if self.recipe.guidance == 1.0:
            return torch.as_tensor(told)
        free = self(x, times, torch.zeros_like(condition))
        return torch.as_tensor(free + self.recipe.guidance * (told - free))


def waves(time: Tensor) -> Tensor:
    """Sines and cosines of a time in [0, 1]. [B] → [B, 2 × FREQUENCIES]"""
    phase = time[:, None] * math.pi * 2 ** torch.arange(FREQUENCIES, device=time.device) / 2
    return torch.cat([phase.sin(), phase.cos()], dim=1)


def signal(time: Tensor) -> Tensor:
    """Share of the signal's variance that is left at a time: a squared cosine, never quite 0 (Nichol & Dhariwal 2021)."""
    return torch.cos(time * math.pi / 2).square().clamp(min=1e-3)


def train_head(
    head: Head, source: Tensor, target: Tensor, pairs: tuple[Tensor, Tensor], conditions: Tensor, seed: int
) -> list[float]:
    """Fit the head. `pairs`: for each target row its group of source rows and its condition; returns losses.

    `source` rows are [groups, n, axes]; for `ddpm` they are not read and noise takes their place.
    """
    recipe, device = head.recipe, conditions.device
    optimiser = torch.optim.AdamW(head.parameters(), lr=recipe.learning_rate, weight_decay=1e-2)
    group, of = pairs
    losses = []
    for step in range(recipe.training_steps):
        seed_torch(derived(seed, "flow", step), device)
        rows = torch.randint(len(target), (recipe.batch,), device=device)
        if recipe.mode == "flow":
            start = source[group[rows], torch.randint(source.shape[1], (recipe.batch,), device=device)]
        else:
            start = torch.randn_like(target[rows])
        told = conditions[of[rows]] * (torch.rand(recipe.batch, 1, device=device) >= recipe.dropped)
        for part in optimiser.param_groups:
            part["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * step / recipe.training_steps))
        loss = head.loss(start, target[rows], torch.rand(recipe.batch, device=device), told)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses
