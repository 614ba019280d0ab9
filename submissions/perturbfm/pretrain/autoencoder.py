"""A cell encoder with what it takes to train it: spoil a cell, encode it, rebuild it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perturbfm.encoders import StateEncoder
from perturbfm.network import Design, World
from perturbfm.pretrain.source import Source

MOMENT_CELLS = 32_768
OBJECTIVES = ("denoise", "masked")


@dataclass(frozen=True)
class Objective:
    """What is spoiled, and what is to be rebuilt: every gene (`denoise`), or those that were hidden (`masked`)."""

    name: str = "denoise"
    hide: float = 0.3
    """How often a gene is set to its mean."""
    noise: float = 0.2
    """Standard deviation of what is added to each gene, in its own."""

    def spoil(self, cells: Tensor, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
        """Spoiled cells, and which genes were hidden; each generator is for its part of the cells. [cells, genes] each"""
        chance, noise = torch.empty_like(cells), torch.empty_like(cells)
        count = len(generators)
        for generator, u, n in zip(generators, chance.chunk(count), noise.chunk(count), strict=True):
            u.uniform_(generator=generator)
            n.normal_(generator=generator)
        hidden = chance < self.hide
        return noise.mul_(self.noise).add_(cells).masked_fill_(hidden, 0.0), hidden

    def loss(self, rebuilt: Tensor, cells: Tensor, hidden: Tensor) -> Tensor:
        """Mean squared error; 1 for a model that says the mean. Equal parts of a batch count alike, whatever was hidden."""
        error = (rebuilt - cells).square()
        if self.name == "masked":
            return (error * hidden).sum() / (self.hide * error.numel())
        return error.mean()


class Moments(NamedTuple):
    """Mean and scale of each gene. [genes] each"""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, source: Source) -> Moments:
        """From evenly spaced cells, a few at a time; genes that hardly vary stay small."""
        places = np.unique(np.linspace(0, len(source) - 1, min(len(source), MOMENT_CELLS)).astype(np.int64))
        total, squares = np.zeros(len(source.genes)), np.zeros(len(source.genes))
        for start in range(0, len(places), 1024):
            cells = source.cells(places[start : start + 1024])
            total += cells.sum(axis=0, dtype=np.float64)
            squares += np.square(cells, dtype=np.float64).sum(axis=0)
        mean = total / len(places)
        spread = np.sqrt(np.maximum(squares / len(places) - mean**2, 0))
        return cls(
            mean.astype(np.float32), (spread + 0.1 * max(float(spread.mean()), 1e-3)).astype(np.float32)
        )


class Autoencoder(nn.Module):
    """The state encoder of the ladder, and a decoder that is thrown away afterwards. [B, genes] → [B, genes]"""

    def __init__(self, n_genes: int, design: Design) -> None:
        super().__init__()
        self.design = design
        self.encoder = StateEncoder(bare_world(n_genes), design)
        self.decoder = nn.Sequential(
            nn.Linear(design.width, design.hidden), nn.GELU(), nn.Linear(design.hidden, n_genes)
        )

    def forward(self, cells: Tensor) -> Tensor:
        """Rebuild standardised cells."""
        return torch.as_tensor(self.decoder(self.encoder(cells)))


def bare_world(n_genes: int) -> World:
    """A world of genes and nothing else."""
    return World(n_genes, 0, 0, torch.zeros(n_genes, 1), torch.zeros(n_genes), {})
