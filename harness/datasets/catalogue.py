"""What there is by name: dataset cards of the package, dataset artifacts of a data folder. Cheap enough for completion."""

from __future__ import annotations

from pathlib import Path

CARDS = Path(__file__).parent / "cards"
DOWNLOADS = ".downloads"
"""Folder inside the data folder where fetched source files lie."""


def card_names() -> list[str]:
    """Names of the dataset cards that ship with the harness."""
    return sorted(path.stem for path in CARDS.glob("*.toml"))


def dataset_names(data: Path) -> list[str]:
    """Names of the folders in a data folder that hold a dataset artifact."""
    if not data.is_dir():
        return []
    return sorted(
        entry.name
        for entry in data.iterdir()
        if not entry.name.startswith(".") and (entry / "meta.json").is_file()
    )
