"""Two numbers fitted on held-out conditions: how far to follow the network, and how wide its variance must be."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from perturbfm.losses import Goal, Outputs

TEMPERATURES = np.exp(np.linspace(np.log(1 / 8), np.log(8), 61))


def shrinkage(outputs: Outputs, goal: Goal) -> float:
    """γ in [0, 1] with the least weighted squared error of baseline + γ × departure."""
    power = float((goal.weight * outputs.mean.square()).sum())
    along = float((goal.weight * outputs.mean * goal.target).sum())
    return float(np.clip(along / power, 0.0, 1.0)) if power > 0 else 0.0


def shrunk_error(outputs: Outputs, goal: Goal) -> float:
    """Weighted squared error at the best γ, averaged over conditions and genes."""
    gamma = shrinkage(outputs, goal)
    return float((goal.weight * (gamma * outputs.mean - goal.target).square()).mean())


def temperature(outputs: Outputs, goal: Goal, gamma: float) -> float:
    """The factor on the variance that makes the held-out conditions most likely; the noise of the truth is not scaled."""
    error = (gamma * outputs.mean - goal.target).square()
    variance = goal.prior * outputs.log_var.exp()
    scores = [float(_nll(error, factor * variance + goal.noise)) for factor in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(scores))])


def _nll(error: Tensor, variance: Tensor) -> Tensor:
    variance = variance.clamp(min=1e-12)
    return (variance.log() + error / variance).mean(dtype=torch.float64)
