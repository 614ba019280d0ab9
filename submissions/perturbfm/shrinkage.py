"""What is fitted on held-out conditions: how far to follow the network, and how wide its variance must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from perturbfm.losses import Goal, Outputs

TEMPERATURES = np.exp(np.linspace(np.log(1 / 8), np.log(8), 61))
SWELLS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


def shrinkage(outputs: Outputs, goal: Goal) -> float:
    """γ in [0, 1] with the least weighted squared error of baseline + γ × departure."""
    power = float((goal.weight * outputs.mean.square()).sum())
    along = float((goal.weight * outputs.mean * goal.target).sum())
    return float(np.clip(along / power, 0.0, 1.0)) if power > 0 else 0.0


def common_shrinkage(folds: Sequence[tuple[Outputs, Goal]]) -> float:
    """The least γ of the folds: a departure is followed as far as all of them bear it, for the next unit may be any."""
    return min(shrinkage(outputs, goal) for outputs, goal in folds)


def joined(folds: Sequence[tuple[Outputs, Goal]]) -> tuple[Outputs, Goal]:
    """What was said and done in all folds, one after the other."""
    outputs, goals = zip(*folds, strict=True)
    return (
        Outputs(*(torch.cat(parts) for parts in zip(*outputs, strict=True))),
        Goal(*(torch.cat(parts) for parts in zip(*goals, strict=True))),
    )


def shrunk_error(outputs: Outputs, goal: Goal) -> float:
    """Weighted squared error at the best γ, averaged over conditions and genes."""
    gamma = shrinkage(outputs, goal)
    return float((goal.weight * (gamma * outputs.mean - goal.target).square()).mean())


def temperature(outputs: Outputs, goal: Goal, gamma: float) -> float:
    """The factor on the variance that makes the held-out conditions most likely; the noise of the truth is not scaled."""
    return width(outputs, goal, gamma, swells=(0.0,)).temperature


class Width(NamedTuple):
    """Variance = temperature × the network's + swell × squared predicted effect, about the mean effect of training."""

    temperature: float
    swell: float


AS_SAID = Width(1.0, 0.0)
"""Nothing fitted."""


def width(outputs: Outputs, goal: Goal, gamma: float, swells: Sequence[float] = SWELLS) -> Width:
    """The two numbers that make the held-out conditions most likely."""
    error = (gamma * outputs.mean - goal.target).square()
    variance = goal.prior * outputs.log_var.exp()
    strong = (goal.start + gamma * outputs.mean).square()
    tried = [Width(float(factor), swell) for swell in swells for factor in TEMPERATURES]
    scores = [float(_nll(error, t.temperature * variance + t.swell * strong + goal.noise)) for t in tried]
    return tried[int(np.argmin(scores))]


def _nll(error: Tensor, variance: Tensor) -> Tensor:
    variance = variance.clamp(min=1e-12)
    return (variance.log() + error / variance).mean(dtype=torch.float64)
