"""A deep ensemble: members that differ in their seeds alone; where they disagree is what they do not know.

var = temperature × (mean of the members' variances + variance of the members' means): Lakshminarayanan et al. 2017.
Temperature and shrinkage are fitted to the ensemble on what no member was fitted to, so that the sum does not inflate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from harness.sdk import Condition
from perturbfm.losses import Outputs
from perturbfm.prediction import Prediction
from perturbfm.shrinkage import AS_SAID, Width, common_shrinkage, joined, width
from perturbfm.trainer import derived

if TYPE_CHECKING:
    from perturbfm.learned import Learned


class Pool(NamedTuple):
    """What members say together, in the units of one network's outputs."""

    mean: Tensor
    aleatoric: Tensor
    """Mean of the members' variances over the baseline's. [conditions, genes]"""
    disagreement: Tensor
    """Variance of the members' departures. [conditions, genes]"""

    def outputs(self, prior: Tensor, gamma: float) -> Outputs:
        """As if one network said it: its variance, over the baseline's, is the sum of both parts."""
        total = self.aleatoric + gamma**2 * self.disagreement / prior
        return Outputs(self.mean, total.log())


def pool(members: Sequence[Outputs]) -> Pool:
    """Average the members; their disagreement is the unbiased variance."""
    means = torch.stack([member.mean for member in members]).double()
    variances = torch.stack([member.log_var for member in members]).double().exp()
    return Pool(means.mean(dim=0), variances.mean(dim=0), means.var(dim=0, correction=1))


def member_seed(seed: int, number: int) -> int:
    """The first member is the single model."""
    return seed if number == 0 else derived(seed, "member", number)


@dataclass
class Ensemble:
    """Trained members that answer as one."""

    members: Sequence[Learned]
    gamma: float
    width: Width

    @classmethod
    def of(cls, members: Sequence[Learned]) -> Ensemble:
        """Fit both numbers on the held-out conditions; without any the departures are not followed."""
        if not all(member.held for member in members):
            return cls(members, gamma=0.0, width=AS_SAID)
        folds = []
        for number, (_, goal) in enumerate(members[0].held):
            together = pool([member.held[number][0] for member in members])
            folds.append((together, goal))
        gamma = common_shrinkage([(one.outputs(goal.prior, 0.0), goal) for one, goal in folds])
        return cls(
            members,
            gamma,
            width(*joined([(one.outputs(goal.prior, gamma), goal) for one, goal in folds]), gamma),
        )

    def predict(self, asked: Sequence[Condition]) -> Prediction:
        """Baseline + γ × mean departure, with both parts of the variance and one of them on its own."""
        part = self.members[0].part
        together = pool([member.outputs(asked) for member in self.members])
        aleatoric = part.spreads(asked) * together.aleatoric.numpy()
        epistemic = (self.gamma * part.scales.unit) ** 2 * together.disagreement.numpy()
        mean = part.answers(asked) + self.gamma * part.scales.unit * together.mean.numpy()
        total = self.width.temperature * (aleatoric + epistemic) + self.width.swell * (mean - part.mean) ** 2
        mean, total, kept = part.recalled(asked, mean, total)
        return Prediction(mean, total, part.support(asked), self.width.temperature * epistemic * kept)

    def diagnostics(self) -> dict[str, Any]:
        """The ensemble's numbers and each member's own."""
        return {
            "shrinkage": self.gamma,
            "temperature": self.width.temperature,
            "swell": self.width.swell,
            "members": [member.diagnostics() for member in self.members],
        }
