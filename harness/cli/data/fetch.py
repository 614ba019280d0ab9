"""`harness data fetch`: the file of a dataset card."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.names.datasets import complete_card, downloads

MIRROR_OPTION = typer.Option(
    None,
    "--mirror",
    envvar="HARNESS_MIRROR",
    metavar="DIR|URL",
    help="Folder or web address that holds the files of cards.",
)


def fetch(
    name: str = typer.Argument(help="A card.", autocompletion=complete_card),
    mirror: str | None = MIRROR_OPTION,
    dest: Path | None = typer.Option(
        None, "--dest", help="Folder for the file; without it, the data folder's downloads."
    ),
) -> None:
    """Get the file of a dataset card; a download that broke off goes on where it stopped, and only the right hash is kept.

    Example: `harness data fetch kang18_pbmc_ifnb --mirror DIR`
    """
    from harness.cli.progress import progress_bar
    from harness.datasets.cards import load_card
    from harness.datasets.fetch import fetch as fetch_file

    card = load_card(name)
    with progress_bar(f"fetch {card.file}", in_bytes=True) as report:
        path = fetch_file(card, dest or downloads(), mirror=mirror, on_progress=report)
    typer.echo(path)
