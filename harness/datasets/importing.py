"""From a dataset card and its file to a frozen dataset that holds what the card says."""

from __future__ import annotations

import os
from pathlib import Path

from harness.datasets.cards import DatasetCard, check_counts
from harness.datasets.dataset import open_dataset
from harness.datasets.fetch import check_source, find_in_mirror, is_url
from harness.datasets.importers.registry import ImportOptions, Progress, importer
from harness.errors import HarnessError
from harness.storage import new_folder


def import_card(card: DatasetCard, source: Path, out: Path, progress: Progress | None = None) -> Path:
    """Import the file of a card. Its hash is checked before it is read, the counts of the card before anything appears."""
    check_source(card, source)
    reader = importer(card.importer)
    options = card_options(card, reader.options)
    with new_folder(out, kind="dataset") as folder:
        reader.run(source, folder, options, progress)
        check_counts(card, open_dataset(folder, verify=False))
    return out


def card_options(card: DatasetCard, model: type[ImportOptions]) -> ImportOptions:
    """The options of the card's importer, with what the card says of the source."""
    said = {
        "name": card.name,
        "title": card.title,
        "url": next(iter([*card.urls, *(origin.repository for origin in card.origin)]), None),
        "license": card.license,
        "citation": card.citation,
        "card": card.name,
    }
    return model.read(
        said | card.options,
        where=f"options of card {card.name!r}",
        mend="harness data importers lists the options",
    )


def find_source(card: DatasetCard, downloads: Path, *, source: Path | None, mirror: str | None) -> Path:
    """The file to import: the one that is named, or the one in a mirror folder, or the one that was fetched."""
    if source is not None:
        return source
    fetched = downloads / card.file
    if mirror is not None and is_url(mirror) and not fetched.is_file():
        raise HarnessError(
            "import reads files of this machine and downloads nothing",
            got=f"--mirror {mirror}",
            mend=f"harness data fetch {card.name} --mirror {mirror}",
        )
    if mirror is not None and not is_url(mirror):
        return find_in_mirror(card, Path(mirror))
    if fetched.is_file():
        return fetched
    raise HarnessError(
        f"the file of card {card.name!r} is not here",
        where=os.fspath(fetched),
        expected=f"{card.file} in a mirror folder (--mirror), named with --source, or fetched",
        mend=f"harness data import --card {card.name} --mirror DIR",
    )
