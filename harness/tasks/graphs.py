"""Gene graphs and the wall: what they may be learned from, and how they cross it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import GraphCard
from harness.datasets.dataset import PerturbDataset
from harness.datasets.graphs import load_graph, save_graph
from harness.datasets.obs import Pool
from harness.splits.split import Split


def learnable_rows(dataset: PerturbDataset, split: Split) -> NDArray[np.int64]:
    """The cells that a graph of this split may be learned from: perturbed training rows and their pool-A controls."""
    rows = split.rows("train")
    told = ~dataset.obs.is_control | dataset.obs.in_pool(Pool.A)
    return rows[told[rows]]


def copy_graph(source: Path, target: Path, genes: Sequence[str]) -> GraphCard:
    """Write a graph over the task's genes into the task folder, and say what it is."""
    graph = load_graph(source, genes)
    save_graph(graph, target)
    return GraphCard(
        file=f"graphs/{target.name}",
        provenance=graph.provenance,
        n_edges=graph.n_edges,
        coverage=graph.coverage,
    )
