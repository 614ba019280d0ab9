"""v2: an operator on gene sets, chosen by the context. v3: the same, where each gene's own control expression has a say."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from perturbfm.encoders import ContextEncoder, StateEncoder
from perturbfm.heads import SystematicShift, VarianceHead
from perturbfm.losses import Outputs
from perturbfm.network import Design, EffectNetwork, Inputs, World
from perturbfm.operator import Cgio
from perturbfm.state_gate import SourceGate, StateGate


class V2(EffectNetwork):
    """CGIO; with the design's `state_gate` it is v3."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        self.context = ContextEncoder(world, design)
        self.operator = Cgio(world, design, self.link.stride)
        self.log_var = VarianceHead(design.width, world.n_genes)
        self.basal = StateEncoder(world, design)
        self.shift = SystematicShift(design.width, world.n_genes)
        self.answer = StateGate(world, design.width) if design.state_gate else None
        self.source = SourceGate(world) if design.state_gate else None

    def systematic(self, inputs: Inputs) -> Tensor:
        """An affine function of the encoded state."""
        return torch.as_tensor(self.shift(self.basal(inputs.state)))

    def effect(self, inputs: Inputs) -> Outputs:
        """The operator, between the two gates where there are any."""
        z = self.context(inputs)
        trusted = self.source(inputs.state) if self.source is not None else None
        mean, h = self.operator(inputs, z, trusted)
        if self.answer is not None:
            mean = mean * self.answer(inputs.state, z)
        return Outputs(mean, self.log_var(h))

    def diagnostics(self) -> dict[str, Any]:
        """Reliance on graphs, and how the gates on states stand."""
        found: dict[str, Any] = self.operator.diagnostics()
        if self.answer is not None and self.source is not None:
            found["state_gate"] = {
                "source_slope": self.source.slope.item(),
                "shared_slope": self.answer.shared.item(),
                "slope_sd": self.answer.slope.std(correction=0).item(),
            }
        return found
