"""The graphs of a task as lists of weighted edges over the genes that a network knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.sdk import Graph


class Edges(NamedTuple):
    """A weighted graph: the weights of the edges that enter a gene sum to 1, or there are none."""

    source: Tensor
    """[E]"""
    target: Tensor
    """[E]"""
    weight: Tensor
    """[E]"""
    n: int
    """Genes."""

    def spread(self, values: Tensor, gate: Tensor | None = None) -> Tensor:
        """Each gene gets the gated, weighted sum over its neighbours. [B, n] → [B, n]"""
        return self.gather(values.T, gate).T

    def gather(self, nodes: Tensor, gate: Tensor | None = None) -> Tensor:
        """The same for vectors of genes. [n, width] → [n, width]"""
        weight = self.weight if gate is None else self.weight * gate
        messages = nodes.index_select(0, self.source) * weight[:, None]
        return torch.zeros_like(nodes).index_add(0, self.target, messages)

    def to(self, device: torch.device) -> Edges:
        """The same graph on a device."""
        return Edges(self.source.to(device), self.target.to(device), self.weight.to(device), self.n)

    def reversed(self) -> Edges:
        """Every edge the other way round, normalised anew."""
        return normalised(self.target, self.source, self.weight, self.n)


def normalised(source: Tensor, target: Tensor, weight: Tensor, n: int) -> Edges:
    """Edges whose weights are scaled so that those which enter a gene sum to 1 in size."""
    total = torch.zeros(n).index_add(0, target, weight.abs())
    return Edges(source, target, weight / total[target].clamp(min=1e-12), n)


def edges_of(graph: Graph, vocabulary: Mapping[str, int]) -> Edges:
    """The edges between genes of a vocabulary. In the file row i holds the neighbours of gene i: they speak to it."""
    places = np.array([vocabulary.get(gene, -1) for gene in graph.genes], np.int64)
    target = np.repeat(places, np.diff(graph.indptr))
    source = places[graph.indices]
    keep = (target >= 0) & (source >= 0) & (graph.data != 0)
    return normalised(
        torch.from_numpy(source[keep]),
        torch.from_numpy(target[keep]),
        torch.from_numpy(np.asarray(graph.data[keep], np.float32)),
        len(vocabulary),
    )
