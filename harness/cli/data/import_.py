"""`harness data import | importers`: from a source file to a frozen dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.data.fetch import MIRROR_OPTION
from harness.cli.data.made import say_made, target_folder
from harness.cli.names.datasets import complete_card, complete_importer, downloads
from harness.cli.options import gather, typed
from harness.cli.show import JSON_OPTION
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.datasets.importers.registry import ImportOptions


def import_dataset(
    source: Path | None = typer.Argument(None, help="The source file, where no card is used."),
    out: Path | None = typer.Option(
        None, "--out", help="Folder of the dataset; without it, its name in the data folder."
    ),
    card: str | None = typer.Option(
        None, "--card", help="Import by a dataset card (name or TOML file).", autocompletion=complete_card
    ),
    mirror: str | None = MIRROR_OPTION,
    card_source: Path | None = typer.Option(None, "--source", help="The file of the card."),
    importer: str = typer.Option(
        "h5ad", "--importer", help="How to read the source.", autocompletion=complete_importer
    ),
    name: str | None = typer.Option(None, "--name", help="Name of the dataset."),
    pert_column: str | None = typer.Option(None, "--pert-column", help="Column of the perturbation."),
    context_column: str | None = typer.Option(None, "--context-column", help="Column of the context."),
    context: str | None = typer.Option(None, "--context", help="One context for all rows."),
    batch_column: str | None = typer.Option(None, "--batch-column", help="Column of the batch."),
    control_label: list[str] = typer.Option(
        [], "--control-label", help="Name of the control; may be repeated."
    ),
    covariate: list[str] = typer.Option([], "--covariate", help="Further column to keep; may be repeated."),
    values: str | None = typer.Option(
        None, "--values", help="What the values are: counts, log_normalised, …"
    ),
    option: list[str] = typer.Option(
        [], "--option", metavar="KEY=VALUE", help="Any option of the importer; may be repeated."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done, and stop."),
) -> None:
    """Import a source file as a frozen dataset, by a card or by naming its columns.

    Example: `harness data import --card kang18_pbmc_ifnb --mirror DIR`

    Example: `harness data import cells.h5ad --pert-column perturbation --context-column cell_type --out data/mine`
    """
    told: dict[str, list[str]] = {
        "name": [name] if name else [],
        "pert_column": [pert_column] if pert_column else [],
        "context_column": [context_column] if context_column else [],
        "context": [context] if context else [],
        "batch_column": [batch_column] if batch_column else [],
        "control_label": control_label,
        "covariates": covariate,
        "values": [values] if values else [],
    }
    given = gather(told, option)
    if card is not None:
        _refuse_with_card(source, importer, given)
        _import_card(card, card_source, mirror, out, dry_run=dry_run)
    elif source is None:
        raise typer.BadParameter("name a source FILE, or a card with --card NAME")
    else:
        _import_file(source, importer, given, out, dry_run=dry_run)


def list_importers(as_json: bool = JSON_OPTION) -> None:
    """List the importers, those of installed plugins too, with their options.

    Example: `harness data importers`
    """
    from harness.cli.show import print_json, print_table
    from harness.datasets.importers.registry import importers

    known = importers()
    if as_json:
        print_json(
            [
                {"name": i.name, "description": i.description, "options": i.options.model_json_schema()}
                for i in known.values()
            ]
        )
        return
    print_table(
        "Importers (--importer NAME, --option KEY=VALUE)",
        ["name", "reads", "option", "what"],
        [
            (i.name if first else "", i.description if first else "", key, field.description or "")
            for i in known.values()
            for first, (key, field) in zip(
                [True] + [False] * len(i.options.model_fields), i.options.model_fields.items(), strict=False
            )
        ],
    )


def _import_card(
    reference: str, source: Path | None, mirror: str | None, out: Path | None, *, dry_run: bool
) -> None:
    from harness.cli.progress import progress_bar
    from harness.datasets.cards import load_card
    from harness.datasets.importers.registry import importer
    from harness.datasets.importing import card_options, find_source, import_card

    card = load_card(reference)
    target = target_folder(out, card.name)
    file = find_source(card, downloads(), source=source, mirror=mirror)
    if dry_run:
        _say_plan(file, card.importer, card_options(card, importer(card.importer).options), target)
        return
    with progress_bar(f"import {card.name}") as report:
        import_card(card, file, target, lambda done, of, _what: report(done, of))
    say_made(target)


def _import_file(
    source: Path, name: str, given: dict[str, list[str]], out: Path | None, *, dry_run: bool
) -> None:
    from harness.cli.progress import progress_bar
    from harness.datasets.importers.registry import importer

    chosen = importer(name)
    options = chosen.options.read(
        typed(chosen.options, given, f"option of importer {name!r}"),
        where=f"options of importer {name!r}",
        mend="harness data importers lists the options",
    )
    target = target_folder(out, options.name or source.name.partition(".")[0])
    if not source.exists():
        raise HarnessError("source not found", where=source, mend="check the path")
    if dry_run:
        _say_plan(source, name, options, target)
        return
    with progress_bar(f"import {source.name}") as report:
        chosen.run(source, target, options, lambda done, of, _what: report(done, of))
    say_made(target)


def _refuse_with_card(source: Path | None, importer: str, given: dict[str, list[str]]) -> None:
    """A card says everything; what is told beside it would make another dataset under the card's name."""
    beside = [*(["FILE (use --source)"] if source else []), *given]
    beside += ["importer"] if importer != "h5ad" else []
    if beside:
        raise HarnessError(
            "a card leaves nothing to be told",
            got=", ".join(beside),
            mend="copy the card to a TOML file of your own and change it there: --card ./mine.toml",
        )


def _say_plan(source: Path, importer: str, options: ImportOptions, target: Path) -> None:
    from harness.cli.show import print_card

    told = options.model_dump(exclude_defaults=True)
    print_card("Would import", {"source": source, "importer": importer, **told, "dataset": target})
