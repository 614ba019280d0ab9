"""`harness data list`: the datasets that are here, and those that a card can bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.cli.show import JSON_OPTION


def list_datasets(as_json: bool = JSON_OPTION) -> None:
    """List the datasets of the data folder, and the cards of datasets that can be imported.

    Example: `harness data list`

    Example: `harness data list --json`
    """
    from harness.cli.show import print_json, print_table
    from harness.datasets.cards import load_card
    from harness.datasets.catalogue import card_names, dataset_names
    from harness.settings import load_settings

    data = load_settings().data
    datasets = [_entry(data / name) for name in dataset_names(data)]
    cards = [load_card(name) for name in card_names()]
    if as_json:
        print_json({"datasets": datasets, "cards": [card.model_dump(mode="json") for card in cards]})
        return
    columns = ["name", "rows", "genes", "perturbations", "contexts", "hash"]
    print_table(
        f"Datasets in {data}",
        columns,
        [[entry.get(column, "") for column in columns] for entry in datasets],
        empty="none yet; harness data make-synth --preset demo makes one",
    )
    print_table(
        "Cards (harness data import --card NAME)",
        ["name", "rows", "genes", "perturbations", "contexts"],
        [[c.name, c.expect.cells, c.expect.genes, c.expect.perturbations, c.expect.contexts] for c in cards],
    )


def _entry(path: Path) -> dict[str, Any]:
    """A line of the list; a dataset whose card cannot be read is listed with the reason."""
    from harness.datasets.dataset import read_meta
    from harness.errors import HarnessError

    try:
        meta = read_meta(path)
    except HarnessError as error:
        return {"name": path.name, "path": str(path), "rows": f"refused: {error.what}"}
    return {
        "name": path.name,
        "path": str(path),
        "rows": meta.n_obs,
        "genes": meta.n_vars,
        "perturbations": sum(pert != meta.control_label for pert in meta.perturbations),
        "contexts": len(meta.pools.modes),
        "hash": meta.data_hash[:12],
    }
