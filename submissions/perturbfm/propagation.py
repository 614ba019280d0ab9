"""A perturbation encoder by message passing: genes learn from their neighbours before a condition sums those it perturbs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from perturbfm.encoders import PerturbationEncoder
from perturbfm.gating import EdgeGate, gate_statistics
from perturbfm.graphs import Edges
from perturbfm.network import Design, Inputs, World, gene_mask


def graphs_used(world: World, design: Design) -> dict[str, Edges]:
    """The graphs that a design asks for, each also with its edges turned round; none where the task has none."""
    if design.graph not in ("none", "single", "multi"):
        raise ValueError(f"unknown graph {design.graph!r}; one of none, single, multi")
    names = [] if design.graph == "none" else list(world.graphs)
    chosen = names[:1] if design.graph == "single" else names
    used = {name: world.graphs[name] for name in chosen}
    return {**used, **{f"{name} reversed": edges.reversed() for name, edges in used.items()}}


class GraphBuffers(nn.Module):
    """Graphs that move with the network from device to device."""

    def __init__(self, graphs: dict[str, Edges]) -> None:
        super().__init__()
        self.names = list(graphs)
        self._n = [graphs[name].n for name in self.names]
        for i, name in enumerate(self.names):
            for part in ("source", "target", "weight"):
                self.register_buffer(f"{part}_{i}", getattr(graphs[name], part), persistent=False)

    def all(self) -> list[Edges]:
        """The graphs in order of their names' places."""
        return [
            Edges(getattr(self, f"source_{i}"), getattr(self, f"target_{i}"), getattr(self, f"weight_{i}"), n)
            for i, n in enumerate(self._n)
        ]


class MessagePassing(nn.Module):
    """H ← H + Σ over graphs of (gated Â H) W; the last step adds nothing at first."""

    def __init__(self, graphs: list[str], n: int, width: int, gating: str, dropout: float) -> None:
        super().__init__()
        self.gates = nn.ModuleList(EdgeGate(gating, n, width) for _ in graphs)
        self.maps = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in graphs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, nodes: Tensor, graphs: list[Edges]) -> Tensor:
        """One layer. [V, width]"""
        messages = [
            turn(edges.gather(nodes, gate(edges, nodes)))
            for edges, gate, turn in zip(graphs, self.gates, self.maps, strict=True)
        ]
        return nodes + self.dropout(torch.tanh(torch.stack(messages).sum(dim=0)))


class GraphPerturbationEncoder(PerturbationEncoder):
    """What v0 sums, and beside it the same genes after message passing; a trust in the graph weighs the second."""

    def __init__(self, world: World, design: Design) -> None:
        super().__init__(world, design)
        self.graphs = GraphBuffers(graphs_used(world, design))
        names = self.graphs.names
        self.layers = nn.ModuleList(
            MessagePassing(names, world.n_vocabulary, design.width, design.gating, design.dropout)
            for _ in range(design.hops if names else 0)
        )
        self.trust = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Inputs) -> Tensor:
        """The bypass, plus what the neighbours of the perturbed genes say."""
        direct = super().forward(inputs)
        if not self.layers:
            return direct
        mask = gene_mask(inputs.genes, self.embedding.seen.shape[0])
        return direct + self._openness() * (mask @ self.neighbours())

    def neighbours(self) -> Tensor:
        """What message passing adds to each gene. [V, width]"""
        profile, own = self.embedding()
        nodes = own + profile
        for layer in self.layers:
            nodes = layer(nodes, self.graphs.all())
        return nodes - own - profile

    def _openness(self) -> Tensor:
        return torch.sigmoid(self.trust)

    @torch.no_grad()
    def diagnostics(self) -> dict[str, Any]:
        """How far the graph is listened to, and its edges."""
        if not self.layers:
            return {"graph_reliance": 0.0}
        profile, own = self.embedding()
        through = self._openness() * self.neighbours()
        direct, perturbed = profile + own, self.embedding.seen > 0
        reliance = through[perturbed].norm() / (through[perturbed].norm() + direct[perturbed].norm())
        gates = {
            f"{name}, layer {i}": gate_statistics(gate(edges, direct))
            for i, layer in enumerate(self.layers)
            for name, edges, gate in zip(self.graphs.names, self.graphs.all(), layer.gates, strict=True)
        }
        return {"graph_reliance": float(reliance), "trust": float(self._openness()), "gates": gates}
