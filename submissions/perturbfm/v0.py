"""v0: perturbation ⊕ control state → MLP → mean, variance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perturbfm.encoders import ContextEncoder, PerturbationEncoder, StateEncoder
from perturbfm.heads import FiLM, MeanHead, SystematicShift, VarianceHead
from perturbfm.losses import Outputs
from perturbfm.network import Design, EffectNetwork, Inputs, World


class V0(EffectNetwork):
    """The perturbation's vector through a few layers that the context modulates."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        self.perturbed = self.perturbation_encoder(world, design)
        self.context = ContextEncoder(world, design)
        self.enter = nn.Linear(design.width, design.hidden)
        self.blocks = nn.ModuleList(
            FiLM(design.hidden, design.width, design.dropout) for _ in range(design.depth)
        )
        self.mean = MeanHead(design.hidden, world.n_genes, design.rank)
        self.log_var = VarianceHead(design.hidden, world.n_genes)
        self.basal = StateEncoder(world, design)
        self.shift = SystematicShift(design.width, world.n_genes)

    def perturbation_encoder(self, world: World, design: Design) -> nn.Module:
        """What turns the perturbation into a vector."""
        return PerturbationEncoder(world, design)

    def systematic(self, inputs: Inputs) -> Tensor:
        """An affine function of the encoded state."""
        return torch.as_tensor(self.shift(self.basal(inputs.state)))

    def effect(self, inputs: Inputs) -> Outputs:
        """The fused vector through both heads."""
        z = self.context(inputs)
        h = self.enter(self.perturbed(inputs))
        for block in self.blocks:
            h = block(h, z)
        return Outputs(self.mean(h), self.log_var(h))
