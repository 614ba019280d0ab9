"""v1: v0 whose perturbation encoder passes messages over gene graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from perturbfm.losses import Outputs
from perturbfm.network import Design, Inputs, World, gene_mask
from perturbfm.operator import Propagation
from perturbfm.propagation import GraphPerturbationEncoder
from perturbfm.v0 import V0


class V1(V0):
    """A perturbation becomes a vector by message passing, and each gene also hears how much of it arrives there."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        self.propagation = Propagation(world, design)
        self.gain = nn.Parameter(torch.zeros(world.n_genes))

    def perturbation_encoder(self, world: World, design: Design) -> nn.Module:
        """Message passing, with v0's sum as a bypass."""
        return GraphPerturbationEncoder(world, design)

    def effect(self, inputs: Inputs) -> Outputs:
        """v0's, and a gain of each gene on what the hops carry to it."""
        mean, log_var = super().effect(inputs)
        profile, own = self.perturbed.embedding()
        mask = gene_mask(inputs.genes, self.world.n_vocabulary)
        _, arrived = self.propagation(mask, profile + own, self.context(inputs))
        return Outputs(mean + self.link.stride * self.gain * arrived[:, : self.world.n_genes], log_var)

    def diagnostics(self) -> dict[str, Any]:
        """Reliance on the graph."""
        return dict(self.perturbed.diagnostics())
