"""From what a condition is to vectors: its control state, its perturbed genes, its id, its covariates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perturbfm.network import Design, Inputs, World, gene_mask


class StateEncoder(nn.Module):
    """A control state as a vector, zero for the average state: a context unlike all others must not look like one of them.

    For that reason nothing here normalises a vector's length. [B, genes] → [B, width]
    """

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        width = design.width
        self.layers: nn.Module
        if design.encoder == "transformer":
            self.layers = ProgramTransformer(world.n_genes, width, design.heads, design.dropout)
        else:
            self.layers = nn.Sequential(
                nn.Linear(world.n_genes, width, bias=False),
                nn.Tanh(),
                nn.Dropout(design.dropout),
                nn.Linear(width, width, bias=False),
            )

    def forward(self, state: Tensor) -> Tensor:
        """Encode; what is near the average state stays near zero."""
        encoded = self.layers(state)
        if isinstance(self.layers, ProgramTransformer):
            encoded = encoded - self.layers(torch.zeros_like(state[:1]))
        return torch.as_tensor(encoded)


class ProgramTransformer(nn.Module):
    """A state as a few programs (learned sums of genes) that attend to each other, then their mean."""

    def __init__(self, n_genes: int, width: int, heads: int, dropout: float, programs: int = 8) -> None:
        super().__init__()
        self.programs = nn.Linear(n_genes, programs * width)
        self.places = nn.Parameter(0.02 * torch.randn(programs, width))
        self.layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )

    def forward(self, state: Tensor) -> Tensor:
        """[B, genes] → [B, width]"""
        tokens = self.programs(state).view(len(state), *self.places.shape) + self.places
        return torch.as_tensor(self.layer(tokens).mean(dim=1))


class GeneEmbedding(nn.Module):
    """A vector for each gene of the vocabulary: what its training profile says, and its own where training perturbs it.

    A gene that training never perturbs has no embedding of its own, for nothing would have trained it.
    """

    def __init__(self, world: World, width: int) -> None:
        super().__init__()
        self.features: Tensor
        self.seen: Tensor
        self.register_buffer("features", world.features, persistent=False)
        self.register_buffer("seen", world.seen, persistent=False)
        self.project = nn.Linear(world.features.shape[1], width, bias=False)
        self.own = nn.Parameter(torch.randn(world.n_vocabulary, width) / width**0.5)

    def forward(self) -> tuple[Tensor, Tensor]:
        """By profile and of its own, to be summed. [V, width] each"""
        return self.project(self.features), self.own * self.seen[:, None]


class PerturbationEncoder(nn.Module):
    """A perturbation as the sum over its genes, and the embedding of its id where training showed it. [B] → [B, width]

    An id that training never showed adds exactly zero, and so does a set of genes that are not in the vocabulary.
    """

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        self.embedding = GeneEmbedding(world, design.width)
        self.ids = nn.Parameter(torch.randn(max(world.n_ids, 1), design.width) / design.width**0.5)
        self.forget = design.forget

    def forward(self, inputs: Inputs) -> Tensor:
        """Sum the embeddings; in training some conditions must do without what is their own."""
        profile, own = self.embedding()
        remembered = self.remembered(inputs)
        mask = gene_mask(inputs.genes, len(profile))
        return mask @ profile + remembered * (mask @ own) + self.by_id(inputs) * self.remembered(inputs)

    def by_id(self, inputs: Inputs) -> Tensor:
        """The embedding of the id, exactly zero for −1. [B, width]"""
        known = (inputs.ids >= 0)[:, None]
        return torch.where(known, self.ids[inputs.ids.clamp(min=0)], torch.zeros((), device=known.device))

    def remembered(self, inputs: Inputs) -> Tensor:
        """1, or in training 0 for a share of the conditions. [B, 1]"""
        shape, device = (len(inputs.ids), 1), inputs.ids.device
        if not self.training:
            return torch.ones(shape, device=device)
        return (torch.rand(shape, device=device) >= self.forget).float()


class ContextEncoder(nn.Module):
    """The control state and the covariates as one vector. [B, width]"""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        self.state = StateEncoder(world, design)
        self.covariates = (
            nn.Linear(world.n_covariates, design.width, bias=False) if world.n_covariates else None
        )

    def forward(self, inputs: Inputs) -> Tensor:
        """Sum both."""
        encoded = self.state(inputs.state)
        return encoded if self.covariates is None else encoded + self.covariates(inputs.covariates)
