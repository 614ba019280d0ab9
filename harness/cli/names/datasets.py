"""Which dataset or card is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets.catalogue import DOWNLOADS, card_names, dataset_names
from harness.errors import UnknownNameError
from harness.settings import load_settings

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset


def complete_dataset(incomplete: str) -> list[str]:
    """Names of the datasets in the data folder."""
    return [name for name in dataset_names(load_settings().data) if name.startswith(incomplete)]


def complete_card(incomplete: str) -> list[str]:
    """Names of the dataset cards."""
    return [name for name in card_names() if name.startswith(incomplete)]


def complete_dataset_or_card(incomplete: str) -> list[str]:
    """Names of datasets and of cards."""
    return sorted({*complete_dataset(incomplete), *complete_card(incomplete)})


def complete_format(incomplete: str) -> list[str]:
    """Export formats."""
    from harness.datasets.export import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_importer(incomplete: str) -> list[str]:
    """Importers, those of plugins too."""
    from harness.datasets.importers.registry import importers

    return [name for name in sorted(importers()) if name.startswith(incomplete)]


def dataset_folder(reference: str) -> Path:
    """The folder of a dataset by path or name; an unknown name is refused with the nearest ones."""
    settings = load_settings()
    path = settings.dataset_path(reference)
    if not path.exists() and Path(reference).parent == Path():
        raise UnknownNameError("dataset", reference, dataset_names(settings.data), where=settings.data)
    return path


def named_dataset(reference: str) -> PerturbDataset:
    """A dataset by folder or name, verified."""
    from harness.datasets.dataset import open_dataset

    return open_dataset(dataset_folder(reference))


def downloads() -> Path:
    """The folder where fetched source files lie."""
    return load_settings().data / DOWNLOADS
