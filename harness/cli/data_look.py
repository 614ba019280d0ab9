"""`harness data list | describe | verify | export`: looking at datasets without changing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness.cli.data_names import (
    complete_dataset,
    complete_dataset_or_card,
    complete_format,
    dataset_folder,
)
from harness.cli.show import JSON_OPTION

if TYPE_CHECKING:
    from harness.datasets.cards import DatasetCard


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


def verify(
    datasets: list[str] = typer.Argument(
        help="Datasets, by name or folder.", autocompletion=complete_dataset
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """Recompute every hash of a dataset; all faults are listed, and the exit code is 4 when there is one.

    Example: `harness data verify demo`
    """
    from harness.cli.progress import progress_bar
    from harness.cli.show import print_error, print_json
    from harness.datasets.verification import faults
    from harness.errors import ExitCode

    found = {}
    for reference in datasets:
        folder = dataset_folder(reference)
        with progress_bar(f"verify {reference}", in_bytes=True) as report:
            found[str(folder)] = faults(folder, on_progress=report)
    if as_json:
        print_json(
            {path: [{"what": f.what, **dict(f.lines())} for f in some] for path, some in found.items()}
        )
    for path, some in found.items():
        for fault in some:
            print_error(fault)
        if not some and not as_json:
            typer.echo(f"{path}: as it was frozen")
    if any(found.values()):
        raise typer.Exit(ExitCode.CHANGED)


def export(
    dataset: str = typer.Argument(help="A dataset, by name or folder.", autocompletion=complete_dataset),
    out: Path = typer.Option(..., "--out", help="Where the export is written; must not exist yet."),
    form: str = typer.Option(
        "simple", "--format", help="simple, h5ad or obs-csv.", autocompletion=complete_format
    ),
) -> None:
    """Write a dataset in another form: two plain files, an `.h5ad`, or its row table as CSV.

    Example: `harness data export demo --format h5ad --out demo.h5ad`
    """
    from harness.cli.progress import progress_bar
    from harness.datasets.dataset import open_dataset
    from harness.datasets.export import FORMATS
    from harness.errors import UnknownNameError

    if form not in FORMATS:
        raise UnknownNameError("export format", form, FORMATS)
    write, leaves = FORMATS[form]
    opened = open_dataset(dataset_folder(dataset))
    with progress_bar(f"export {opened.name}") as report:
        write(opened, out, report)
    typer.echo(f"{out}: {leaves}")


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
