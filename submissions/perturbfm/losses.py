"""What training makes small: weighted squared error, β-NLL, one minus the centred cosine, and confusion of perturbations."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Outputs(NamedTuple):
    """What a network says of a batch, relative to its baseline."""

    mean: Tensor
    """Departure from the baseline, in units of each gene's scale. [B, genes]"""
    log_var: Tensor
    """Logarithm of the variance of the effect over that of the baseline. [B, genes]"""


class Goal(NamedTuple):
    """What a batch of conditions was observed to do, in units of each gene's scale."""

    target: Tensor
    """Observed departure from the baseline. [B, genes]"""
    start: Tensor
    """The baseline, less the mean effect of training. [B, genes]"""
    noise: Tensor
    """Sampling variance of the observation. [B, genes]"""
    prior: Tensor
    """Variance of the baseline's effect. [B, genes]"""
    weight: Tensor
    """Of each gene in the squared error, 1 on average. [B, genes]"""
    importance: Tensor
    """Of each condition, 1 on average. [B]"""
    context: Tensor
    """Which context it is in. [B]"""
    condition: Tensor
    """Which condition it is. [B]"""

    def take(self, rows: Tensor) -> Goal:
        """Some of the conditions."""
        return Goal(*(part[rows] for part in self))

    def to(self, device: torch.device) -> Goal:
        """The same on a device."""
        return Goal(*(part.to(device) for part in self))


class Weights(NamedTuple):
    """How much each term counts."""

    squared: float = 1.0
    likelihood: float = 0.5
    cosine: float = 0.2
    contrast: float = 0.1
    beta: float = 0.5


def training_loss(outputs: Outputs, goal: Goal, weights: Weights, with_variance: bool) -> Tensor:
    """The sum of all terms over a batch; the variance joins only after a while, if there is a squared error before."""
    zero = outputs.mean.new_zeros(())
    likely = weights.likelihood and (with_variance or not weights.squared)
    terms = [
        weights.squared * weighted_error(outputs, goal) if weights.squared else zero,
        weights.likelihood * beta_nll(outputs, goal, weights.beta) if likely else zero,
        weights.cosine * centred_cosine(outputs, goal) if weights.cosine else zero,
        weights.contrast * confusion(outputs, goal) if weights.contrast else zero,
    ]
    return torch.stack(terms).sum()


def weighted_error(outputs: Outputs, goal: Goal) -> Tensor:
    """Mean over conditions and genes of weight × squared error."""
    each = (goal.weight * (outputs.mean - goal.target).square()).mean(dim=1)
    return (goal.importance * each).mean()


def beta_nll(outputs: Outputs, goal: Goal, beta: float) -> Tensor:
    """Gaussian negative log likelihood times variance^β (Seitzer et al. 2022); the noise of the observation is known."""
    variance = goal.prior * outputs.log_var.exp() + goal.noise
    nll = 0.5 * (variance.log() + (outputs.mean - goal.target).square() / variance)
    return (goal.importance * (nll * variance.detach() ** beta).mean(dim=1)).mean()


def centred_cosine(outputs: Outputs, goal: Goal) -> Tensor:
    """One minus the cosine between predicted and observed effect, both less the mean effect of training."""
    likeness = functional.cosine_similarity(goal.start + outputs.mean, goal.start + goal.target, dim=1)
    return (goal.importance * (1 - likeness)).mean()


def confusion(outputs: Outputs, goal: Goal, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of telling which observed effect of a context a prediction belongs to (InfoNCE)."""
    predicted = functional.normalize(goal.start + outputs.mean, dim=1)
    observed = functional.normalize(goal.start + goal.target, dim=1)
    logits = predicted @ observed.T / temperature
    elsewhere = goal.context[:, None] != goal.context
    twin = (goal.condition[:, None] == goal.condition) & ~torch.eye(
        len(logits), dtype=torch.bool, device=logits.device
    )
    logits = logits.masked_fill(elsewhere | twin, float("-inf"))
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
