"""How much an edge of a graph is trusted: not asked, one number, one per gene, or one per edge."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from perturbfm.graphs import Edges

MODES = ("none", "scalar", "node", "lowrank", "mlp")
RANK = 8


class EdgeGate(nn.Module):
    """Factors between 0 and 1 on the weights of edges; 1 for all in mode `none`, else about ½ at first."""

    def __init__(self, mode: str, n: int, width: int) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"unknown gating {mode!r}; one of {', '.join(MODES)}")
        self.mode = mode
        if mode == "scalar":
            self.logit = nn.Parameter(torch.zeros(1))
        elif mode == "node":
            self.logits = nn.Parameter(torch.zeros(n))
        elif mode == "lowrank":
            self.out = nn.Parameter(0.1 * torch.randn(n, RANK))
            self.into = nn.Parameter(0.1 * torch.randn(n, RANK))
        elif mode == "mlp":
            self.layers = nn.Sequential(nn.Linear(2 * width, RANK), nn.GELU(), nn.Linear(RANK, 1))

    def forward(self, edges: Edges, nodes: Tensor) -> Tensor | None:
        """One factor per edge, None where none is asked for; `nodes` are the vectors of genes. [E]"""
        if self.mode == "scalar":
            return torch.sigmoid(self.logit).expand(len(edges.weight))
        if self.mode == "node":
            return torch.sigmoid(self.logits)[edges.target]
        if self.mode == "lowrank":
            return torch.sigmoid((self.out[edges.source] * self.into[edges.target]).sum(dim=1))
        if self.mode == "mlp":
            pairs = torch.cat([nodes[edges.source], nodes[edges.target]], dim=1)
            return torch.sigmoid(self.layers(pairs)[:, 0])
        return None


@torch.no_grad()
def gate_statistics(gate: Tensor | None) -> dict[str, float]:
    """Mean, spread and the share of edges that are closed or open."""
    if gate is None or not len(gate):
        return {"mean": 1.0, "sd": 0.0, "closed": 0.0, "open": 1.0}
    return {
        "mean": float(gate.mean()),
        "sd": float(gate.std(correction=0)),
        "closed": float((gate < 0.1).float().mean()),
        "open": float((gate > 0.9).float().mean()),
    }
