"""`harness data describe`: what a dataset holds and what its card says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.names.datasets import complete_dataset_or_card
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.datasets.cards import DatasetCard


def describe(
    dataset: str = typer.Argument(
        help="A dataset (name or folder) or a card.", autocompletion=complete_dataset_or_card
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Describe a dataset: contexts and their control pools, perturbed genes, source; and its card.

    Example: `harness data describe demo`

    Example: `harness data describe kang18_pbmc_ifnb --json`
    """
    from harness.cli.show import print_json
    from harness.datasets.cards import load_card
    from harness.datasets.catalogue import card_names, dataset_names
    from harness.datasets.dataset import open_dataset
    from harness.datasets.describe import describe as describe_dataset
    from harness.errors import UnknownNameError
    from harness.settings import load_settings

    settings = load_settings()
    path = settings.dataset_path(dataset)
    known = {*dataset_names(settings.data), *card_names()}
    if not path.exists() and dataset not in known and Path(dataset).parent == Path():
        raise UnknownNameError("dataset or card", dataset, known)
    facts = describe_dataset(open_dataset(path)) if path.exists() or dataset not in known else None
    name = dataset if facts is None else facts["source"]["card"]
    card = load_card(name) if name in card_names() else None
    if as_json:
        print_json({"dataset": facts, "card": None if card is None else card.model_dump(mode="json")})
        return
    if facts is not None:
        _print_dataset(facts)
    if card is not None:
        _print_card(card)


def _print_dataset(facts: dict[str, Any]) -> None:
    from harness.cli.show import print_card, print_table

    genes = facts["perturbed_genes"]
    print_card(
        f"{facts['name']}  {facts['title']}",
        {
            "folder": facts["path"],
            "hash": facts["data_hash"],
            "holds": ", ".join(f"{n} {what}" for what, n in facts["counts"].items()),
            "rows are": f"{facts['unit']}s, {facts['x_kind']}",
            "conditions": facts["conditions"],
            "combinations": facts["combinations"],
            "batches": facts["batches"],
            "covariates": ", ".join(facts["covariates"]) or "none",
            "arrays": ", ".join(facts["arrays"]),
            "perturbed genes": f"{genes['measured']} of {genes['n']} are measured",
            "source held": facts["preprocessing"]["found"],
            "steps": "; ".join(facts["preprocessing"]["steps"]) or "none",
            "gene space": facts["preprocessing"]["gene_space"],
            "licence": facts["source"]["license"] or "not stated",
            "citation": facts["source"]["citation"] or "not stated",
            **{f"note {i}": note for i, note in enumerate(facts["notes"], 1)},
        },
    )
    print_table(
        "Contexts, and their controls by pool",
        ["context", "perturbed", "conditions", "controls", "A", "B", "C", "pools"],
        [
            [name, c["perturbed"], c["conditions"], c["controls"], *c["pools"].values(), c["mode"]]
            for name, c in facts["contexts"].items()
        ],
    )


def _print_card(card: DatasetCard) -> None:
    from harness.cli.show import print_card

    print_card(
        f"Card {card.name}  {card.title}",
        {
            "file": f"{card.file}, {card.bytes} bytes, sha256 {card.sha256}",
            "to be had from": ", ".join(card.urls) or "a mirror folder only (--mirror)",
            "imported by": f"harness data import --card {card.name} --mirror DIR",
            "made from": "\n".join(f"{o.repository} {o.path} at {o.commit[:12]}" for o in card.origin),
            "how": card.prepared,
            "expected": ", ".join(f"{n} {what}" for what, n in card.expect.model_dump().items()),
            "importer": card.importer,
            "licence": card.license,
            "citation": card.citation,
            **{f"caveat {i}": caveat for i, caveat in enumerate(card.caveats, 1)},
        },
    )
