"""What a gene's own control expression allows: how strongly it can be perturbed, and how strongly it can answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perturbfm.heads import zeroed
from perturbfm.network import World


class StateGate(nn.Module):
    """A factor between 0 and 2 per gene: 2σ(a x_g + u_g x_g + v_g + S z), 1 at first. [B, genes]"""

    def __init__(self, world: World, width: int, rank: int = 8) -> None:
        super().__init__()
        self.shared = nn.Parameter(torch.zeros(1))
        self.slope = nn.Parameter(torch.zeros(world.n_genes))
        self.bias = nn.Parameter(torch.zeros(world.n_genes))
        self.down = nn.Linear(width, rank)
        self.up = zeroed(nn.Linear(rank, world.n_genes))

    def forward(self, state: Tensor, z: Tensor) -> Tensor:
        """Gate."""
        return 2 * torch.sigmoid((self.shared + self.slope) * state + self.bias + self.up(self.down(z)))


class SourceGate(nn.Module):
    """A factor between 0 and 2 on each perturbed gene by its own control expression, alike for all genes. [B, V]"""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.extra = world.n_vocabulary - world.n_genes
        self.slope = nn.Parameter(torch.zeros(1))

    def forward(self, state: Tensor) -> Tensor:
        """Genes that are not measured pass unchanged."""
        measured = 2 * torch.sigmoid(self.slope * state)
        return torch.cat([measured, measured.new_ones(len(state), self.extra)], dim=1)
