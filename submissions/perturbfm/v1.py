"""v1: v0 whose perturbation encoder passes messages over gene graphs."""

from __future__ import annotations

from typing import Any

from torch import nn

from perturbfm.network import Design, World
from perturbfm.propagation import GraphPerturbationEncoder
from perturbfm.v0 import V0


class V1(V0):
    """The only difference is how a perturbation becomes a vector."""

    def perturbation_encoder(self, world: World, design: Design) -> nn.Module:
        """Message passing, with v0's sum as a bypass."""
        return GraphPerturbationEncoder(world, design)

    def diagnostics(self) -> dict[str, Any]:
        """Reliance on the graph."""
        return dict(self.perturbed.diagnostics())
