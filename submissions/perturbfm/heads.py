"""Last layers: from a vector to genes, zero at first."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer with nothing in it, so that what it adds to is unchanged until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class MeanHead(nn.Module):
    """A low-rank map to genes. [B, width] → [B, genes]"""

    def __init__(self, width: int, n_genes: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank)
        self.up = zeroed(nn.Linear(rank, n_genes))

    def forward(self, h: Tensor) -> Tensor:
        """Map."""
        return torch.as_tensor(self.up(self.down(h)))


class VarianceHead(nn.Module):
    """How the variance differs from the baseline's, as a logarithm between −4 and 4: a bias per gene and rank 8."""

    def __init__(self, width: int, n_genes: int, rank: int = 8) -> None:
        super().__init__()
        self.layers = MeanHead(width, n_genes, rank)

    def forward(self, h: Tensor) -> Tensor:
        """The mean's layers are not trained by it. [B, genes]"""
        return 4 * torch.tanh(self.layers(h.detach()) / 4)


class FiLM(nn.Module):
    """A residual block whose features are scaled and shifted by a condition. [B, hidden] × [B, width] → [B, hidden]"""

    def __init__(self, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.condition = zeroed(nn.Linear(width, 2 * hidden))
        self.layers = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, hidden))

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """One block."""
        scale, shift = self.condition(condition).chunk(2, dim=-1)
        return h + self.layers(self.norm(h) * (1 + scale) + shift)


class SystematicShift(nn.Module):
    """What any perturbation does here, from the control state: affine of low rank. [B, width] → [B, genes]"""

    def __init__(self, width: int, n_genes: int, rank: int = 8) -> None:
        super().__init__()
        self.head = MeanHead(width, n_genes, rank)

    def forward(self, z: Tensor) -> Tensor:
        """Map."""
        return torch.as_tensor(self.head(z))
