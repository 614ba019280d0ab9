"""What every network of the ladder is: a departure from a baseline, in a part that any perturbation has and one of its own.

prediction = baseline + unit × (systematic shift(state) + effect(perturbation, state)), with a unit for each gene. The last
layer of each part is zero at first, so that an untrained network is its baseline, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from perturbfm.folds import LEAST
from perturbfm.graphs import Edges
from perturbfm.losses import Goal, Outputs, Weights, training_loss

STRIDE = 4.0
"""What 1 means in a weight that goes straight to a gene, in units of its effects; so that it is reached in few steps."""
FOLDS = 2.0
"""The same in fold changes (natural logarithm)."""


class Inputs(NamedTuple):
    """A batch of conditions."""

    state: Tensor
    """Standardised mean control expression of the context. [B, genes]"""
    genes: Tensor
    """Perturbed genes as positions in the vocabulary, −1 where there are no more. [B, M]"""
    ids: Tensor
    """Which training perturbation it is, −1 for one that training never showed. [B]"""
    covariates: Tensor
    """Dose, time, … as numbers. [B, K]"""

    def take(self, rows: Tensor) -> Inputs:
        """Some of the conditions."""
        return Inputs(*(part[rows] for part in self))

    def to(self, device: torch.device) -> Inputs:
        """The same batch on a device."""
        return Inputs(*(part.to(device) for part in self))


class Expression(NamedTuple):
    """How standardised states become expression again, where effects are spoken of as fold changes."""

    centre: Tensor
    """[genes]"""
    scale: Tensor
    """[genes]"""
    unit: Tensor
    """Of each gene's effects. [genes]"""


@dataclass(frozen=True)
class World:
    """What a network knows of a task before it sees a condition."""

    n_genes: int
    """Genes that are predicted; they come first in the vocabulary."""
    n_ids: int
    """Perturbations in training."""
    n_covariates: int
    features: Tensor
    """Coordinates of each gene of the vocabulary, from training profiles; zero for genes that are not measured. [V, F]"""
    seen: Tensor
    """1 for genes that a training condition perturbs: only they have an embedding of their own. [V]"""
    graphs: Mapping[str, Edges]
    """Over the vocabulary, by name."""
    expression: Expression | None = None
    """None where effects are not fold changes."""

    @property
    def n_vocabulary(self) -> int:
        return len(self.seen)


@dataclass(frozen=True)
class Design:
    """How a network is built, and which of its parts are left out."""

    systematic: bool = True
    """The part that any perturbation has."""
    perturbation: bool = True
    """Whether it is told what was perturbed."""
    context: bool = True
    """Whether the effect of a perturbation may depend on the control state and the covariates."""
    basal: bool = True
    """Whether the control state is told at all."""
    gene_set: bool = True
    """Perturbations as sets of genes; without it by their ids alone."""
    ids: bool = True
    """An embedding of each training perturbation beside that of its genes."""
    encoder: str = "mlp"
    """Of the control state: `mlp` or `transformer`."""
    width: int = 64
    hidden: int = 128
    depth: int = 2
    rank: int = 32
    """Of the heads."""
    dropout: float = 0.1
    forget: float = 0.3
    """How often a perturbation's own embeddings are withheld in training, so that what generalises is learned too."""
    blur: float = 0.5
    """How often the context is withheld in training, so that few contexts are not learned by heart."""
    graph: str = "none"
    """`none`, `single` (the first graph) or `multi` (a mixture of all)."""
    gating: str = "none"
    """Trust in edges: `none`, `scalar`, `node`, `lowrank` or `mlp`."""
    hops: int = 2
    bases: int = 4
    operator: str = "contextual"
    """`contextual`: the mixture of bases depends on the control state; `global`: it does not."""
    target: bool = True
    """Whether perturbed genes may have an effect on themselves that is alike for all."""
    state_gate: bool = False
    """Whether each gene's own control expression gates its effect."""
    heads: int = 4
    programs: int = 8
    """What a transformer answers in."""
    context_tokens: int = 2
    """How many tokens a control state becomes."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Design:
        """The parameters of a submission that speak of design; others are not its business."""
        return cls(**{field.name: params[field.name] for field in fields(cls) if field.name in params})


def gene_mask(genes: Tensor, n: int) -> Tensor:
    """1 where a condition perturbs a gene; −1 in the list is no gene. [B, M] → [B, n]"""
    mask = torch.zeros(len(genes), n + 1, device=genes.device)
    mask.scatter_(1, torch.where(genes < 0, n, genes), 1.0)
    return mask[:, :n]


class Link(nn.Module):
    """From fold changes to the units of effects: a gene moves as far as its expression in this state allows.

    1 on average over genes at the average state, and everywhere where effects are not fold changes. [B, genes]
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.known = world.expression is not None
        self.stride = STRIDE
        if world.expression is None:
            return
        for name, values in world.expression._asdict().items():
            self.register_buffer(name, values, persistent=False)
        typical = float(self._sensitivity(torch.zeros(1, world.n_genes)).mean())
        self.stride, self.typical = FOLDS * typical, typical

    def forward(self, state: Tensor) -> Tensor:
        """Sensitivity of each gene."""
        return self._sensitivity(state) / self.typical if self.known else torch.ones_like(state)

    def _sensitivity(self, state: Tensor) -> Tensor:
        expressed = state * self.get_buffer("scale") + self.get_buffer("centre")
        return (1 - torch.exp(-expressed)).clamp(min=LEAST) / self.get_buffer("unit")


class EffectNetwork(nn.Module):
    """The sum of its two parts. A network of the ladder says what they are; leaving them out is done here."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        self.world, self.design = world, design
        self.begun_from: dict[str, Any] | None = None
        """What its state encoders were pretrained on, if they were."""
        self.link = Link(world)
        self.target = nn.Parameter(torch.zeros(()))

    def systematic(self, inputs: Inputs) -> Tensor:
        """What any perturbation does in this state. [B, genes]"""
        raise NotImplementedError

    def effect(self, inputs: Inputs) -> Outputs:
        """What this perturbation does in this state, and how sure that is."""
        raise NotImplementedError

    def forward(self, inputs: Inputs) -> Outputs:
        """Both parts, each shown no more than the design allows."""
        design = self.design
        basal = inputs if design.basal else inputs._replace(state=torch.zeros_like(inputs.state))
        told = basal
        if not design.context:
            told = told._replace(
                state=torch.zeros_like(told.state), covariates=torch.zeros_like(told.covariates)
            )
        elif self.training:
            keep = (torch.rand(len(told.ids), 1, device=told.ids.device) >= design.blur).float()
            told = told._replace(state=told.state * keep, covariates=told.covariates * keep)
        if not (design.perturbation and design.gene_set):
            told = told._replace(genes=torch.full_like(told.genes, -1))
        if not (design.perturbation and design.ids):
            told = told._replace(ids=torch.full_like(told.ids, -1))
        mean, log_var = self.effect(told)
        if design.target:
            perturbed = gene_mask(told.genes, self.world.n_vocabulary)[:, : self.world.n_genes]
            mean = mean + self.link.stride * self.target * perturbed
        mean = mean * self.link(basal.state if design.context else torch.zeros_like(basal.state))
        if design.systematic:
            mean = mean + self.systematic(basal) * self.link(basal.state)
        return Outputs(mean, log_var)

    def loss(self, inputs: Inputs, goal: Goal, weights: Weights, *, with_variance: bool) -> Tensor:
        """What training makes small on a batch."""
        return training_loss(self(inputs), goal, weights, with_variance)

    def diagnostics(self) -> dict[str, Any]:
        """What can be read off the trained network: gates, mixtures, how much it leans on graphs."""
        return {}
