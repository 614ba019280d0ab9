"""`harness data graph`: gene graphs beside a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.names.datasets import complete_dataset, named_dataset
from harness.cli.names.splits import complete_split, split_store
from harness.cli.show import JSON_OPTION
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.datasets.graphs import GeneGraph


def graph(
    dataset: str = typer.Argument(help="A dataset, by name or folder.", autocompletion=complete_dataset),
    source: Path | None = typer.Option(
        None, "--from", help="Edge list (source, target, weight), gene sets (.gmt), or .npz; .gz too."
    ),
    coexpression: bool = typer.Option(
        False, "--coexpression", help="Learn it from the training cells of a split."
    ),
    split: str | None = typer.Option(
        None, "--split", help="The split whose training cells are used.", autocompletion=complete_split
    ),
    name: str | None = typer.Option(None, "--name", help="Name of the graph."),
    directed: bool = typer.Option(False, "--directed", help="Edges of the list lead one way only."),
    self_loops: bool = typer.Option(False, "--self-loops", help="Give every gene an edge to itself."),
    neighbours: int = typer.Option(20, "--neighbours", min=1, help="Co-expression: edges of a gene."),
    least: float = typer.Option(0.1, "--least", help="Co-expression: smallest absolute correlation."),
    as_json: bool = JSON_OPTION,
) -> None:
    """Lay a gene graph beside a dataset, over its genes; with neither `--from` nor `--coexpression`, list those there.

    A learned graph has seen the training cells of one split, so it is kept for that split alone.

    Example: `harness data graph demo --from edges.tsv --name string`

    Example: `harness data graph demo --coexpression --split context_ood`

    Example: `harness data graph demo --json`
    """
    from harness.datasets.graph_sources import build_graph, from_coexpression
    from harness.datasets.graphs import graphs_folder
    from harness.tasks.graphs import learnable_rows

    if (source is not None and coexpression) or (split is None) == coexpression:
        raise typer.BadParameter("give --from FILE, or --coexpression with --split SPLIT, or neither to list")
    opened = named_dataset(dataset)
    beside = graphs_folder(opened.path)
    if split is not None:
        frozen = split_store().load(split, dataset=opened)
        rows = learnable_rows(opened, frozen)
        made = from_coexpression(opened, rows, neighbours=neighbours, least=least, self_loops=self_loops)
        _keep(made, beside / frozen.frozen_hash / f"{name or 'coexpression'}.npz", as_json=as_json)
    elif source is not None:
        made = build_graph(source, opened.genes, directed=directed, self_loops=self_loops)
        _keep(made, beside / f"{name or source.name.partition('.')[0]}.npz", as_json=as_json)
    else:
        _list(opened, beside, as_json=as_json)


def _keep(made: GeneGraph, path: Path, *, as_json: bool) -> None:
    from harness.cli.show import print_card, print_json
    from harness.datasets.graphs import save_graph
    from harness.storage import refuse_existing

    refuse_existing(path, kind="graph")
    save_graph(made, path)
    if as_json:
        print_json(_facts(made, path))
    else:
        print_card(f"Graph {path.stem}", _facts(made, path))


def _list(dataset: PerturbDataset, beside: Path, *, as_json: bool) -> None:
    """The graphs beside a dataset; one that does not fit its genes is listed with the reason."""
    from harness.cli.show import print_json, print_table
    from harness.datasets.graphs import load_graph

    listed: list[dict[str, Any]] = []
    for path in [*sorted(beside.glob("*.npz")), *sorted(beside.glob("*/*.npz"))]:
        try:
            listed.append(_facts(load_graph(path, dataset.genes), path))
        except HarnessError as error:
            listed.append({"name": path.stem, "file": str(path), "provenance": f"refused: {error.what}"})
    if as_json:
        print_json(listed)
        return
    columns = ["name", "provenance", "edges", "density", "coverage", "file"]
    print_table(
        f"Graphs beside {dataset.name}",
        columns,
        [[entry.get(key, "") for key in columns] for entry in listed],
    )


def _facts(made: GeneGraph, path: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "provenance": made.provenance,
        "genes": len(made.genes),
        "edges": made.n_edges,
        "density": round(made.density, 6),
        "coverage": round(made.coverage, 4),
        "self_loops": made.self_loops,
        "file": str(path),
    }
