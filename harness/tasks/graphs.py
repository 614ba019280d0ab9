"""Gene graphs cross the wall aligned to the task's genes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.contract.task import GraphCard
from harness.datasets.graphs import load_graph, save_graph


def graphs_beside(dataset: Path, split_hash: str | None = None) -> list[Path]:
    """The graphs that lie beside a dataset, in `<dataset>.graphs/`, and those learned for one split, under its hash."""
    beside = dataset.with_name(f"{dataset.name}.graphs")
    learned = [] if split_hash is None else sorted((beside / split_hash).glob("*.npz"))
    return sorted(beside.glob("*.npz")) + learned


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
