"""CGIO: an intervention is a set of genes, carried over graphs by gated hops, then mapped by a contextual operator.

p = Σ_m w_m(z) Σ_k g_mk A_m^k mask;  h = tanh(MLP(pE) + pE);  μ = Σ_k α_k(z) B_k h + gain ⊙ (p without the mask).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from perturbfm.encoders import GeneEmbedding
from perturbfm.gating import EdgeGate, gate_statistics
from perturbfm.graphs import Edges
from perturbfm.heads import zeroed
from perturbfm.network import Design, Inputs, World, gene_mask
from perturbfm.propagation import GraphBuffers, graphs_used

MOST_SOURCES = 256


class Propagation(nn.Module):
    """A set of genes carried over every graph, and a mixture of what arrives; its first part is no graph at all."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__()
        self.graphs = GraphBuffers(graphs_used(world, design))
        n = len(self.graphs.names)
        self.gates = nn.ModuleList(
            EdgeGate(design.gating, world.n_vocabulary, design.width) for _ in range(n)
        )
        self.hops = nn.Parameter(torch.zeros(n, design.hops))
        self.reach: Tensor
        found = [reaches(edges, design.hops) for edges in self.graphs.all()]
        self.register_buffer("reach", torch.tensor(found).view(n, design.hops), persistent=False)
        self.mixture = zeroed(nn.Linear(design.width, n + 1))
        self.contextual = design.operator == "contextual"

    def forward(self, mask: Tensor, nodes: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The mixture, and the part of it that came over graphs. [B, V] each"""
        share = torch.softmax(self.mixture(z if self.contextual else torch.zeros_like(z)), dim=-1)
        carried = [mask]
        for i, edges in enumerate(self.graphs.all()):
            gate, arrived, total = self.gates[i](edges, nodes), mask, torch.zeros_like(mask)
            for hop, size in zip(torch.sigmoid(self.hops[i]), self.reach[i], strict=True):
                arrived = edges.spread(arrived, gate)
                total = total + hop * arrived / size
            carried.append(total)
        parts = torch.stack(carried, dim=-1) * share[:, None, :]
        return parts.sum(dim=-1), parts[:, :, 1:].sum(dim=-1)


@torch.no_grad()
def reaches(edges: Edges, hops: int) -> list[float]:
    """How much of one gene typically arrives where any of it arrives, after each number of hops; at most 1."""
    sources = torch.unique(edges.source)
    few = sources[:: 1 + len(sources) // MOST_SOURCES]
    arrived = torch.zeros(len(few), edges.n)
    arrived[torch.arange(len(few)), few] = 1.0
    found = []
    for _ in range(hops):
        arrived = edges.spread(arrived)
        there = arrived[arrived != 0]
        found.append(float(there.square().mean().sqrt()) if len(there) else 1.0)
    return found


class Cgio(nn.Module):
    """The operator on top of the propagation. [B] conditions → [B, genes] and the vector h."""

    def __init__(self, world: World, design: Design, stride: float) -> None:
        super().__init__()
        self.stride = stride
        self.n_genes, self.forget = world.n_genes, design.forget
        self.embedding = GeneEmbedding(world, design.width)
        self.ids = nn.Parameter(torch.randn(max(world.n_ids, 1), design.width) / design.width**0.5)
        self.propagation = Propagation(world, design)
        width = design.width
        self.mlp = nn.Sequential(
            nn.Linear(width, design.hidden),
            nn.GELU(),
            nn.Dropout(design.dropout),
            nn.Linear(design.hidden, width),
        )
        self.mix = zeroed(nn.Linear(width, design.bases))
        self.constant = nn.Parameter(torch.full((design.bases,), 1.0 / design.bases))
        self.bases = nn.Linear(width, design.bases * design.rank, bias=False)
        self.out = zeroed(nn.Linear(design.rank, world.n_genes))
        self.gain = nn.Parameter(torch.zeros(world.n_genes))
        self.shape = (design.bases, design.rank)
        self.contextual = design.operator == "contextual"
        if design.operator not in ("contextual", "global"):
            raise ValueError(f"unknown operator {design.operator!r}; one of contextual, global")

    def forward(self, inputs: Inputs, z: Tensor, trusted: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """`trusted` weighs the perturbed genes before they are carried. [B, genes], [B, width]"""
        profile, own = self.embedding()
        mask = gene_mask(inputs.genes, len(profile))
        mask = mask if trusted is None else mask * trusted
        carried, arrived = self.propagation(mask, profile + own, z)
        entered = carried @ profile + self._remembered(inputs) * (carried @ own) + self._by_id(inputs)
        h = torch.tanh(self.mlp(entered) + entered)
        context = z if self.contextual else torch.zeros_like(z)
        alpha = self.mix(context) + self.constant
        mixed = (alpha[:, :, None] * self.bases(h).view(-1, *self.shape)).sum(dim=1)
        return self.out(mixed) + self.stride * self.gain * arrived[:, : self.n_genes], h

    def _by_id(self, inputs: Inputs) -> Tensor:
        """The embedding of the id where there is no gene to go by; exactly zero for −1. [B, width]"""
        speaks = ((inputs.ids >= 0) & (inputs.genes < 0).all(dim=1))[:, None]
        return torch.where(speaks, self.ids[inputs.ids.clamp(min=0)], torch.zeros((), device=speaks.device))

    def _remembered(self, inputs: Inputs) -> Tensor:
        shape, device = (len(inputs.ids), 1), inputs.ids.device
        if not self.training:
            return torch.ones(shape, device=device)
        return (torch.rand(shape, device=device) >= self.forget).float()

    @torch.no_grad()
    def diagnostics(self) -> dict[str, Any]:
        """Shares of the graphs at an average state, hop gates, statistics of the edge gates, reliance on graphs."""
        way = self.propagation
        profile, own = self.embedding()
        z = torch.zeros(1, self.mix.in_features, device=profile.device)
        share = torch.softmax(way.mixture(z), dim=-1)[0]
        names = way.graphs.names
        return {
            "graph_reliance": float(1 - share[0]),
            "mixture": {name: float(s) for name, s in zip(["no graph", *names], share, strict=True)},
            "hops": {name: torch.sigmoid(way.hops[i]).tolist() for i, name in enumerate(names)},
            "gates": {
                name: gate_statistics(gate(edges, profile + own))
                for name, edges, gate in zip(names, way.graphs.all(), way.gates, strict=True)
            },
        }
