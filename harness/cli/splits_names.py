"""Which split, regime or dataset a word on the command line means, and which words there are to complete it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.store import SplitStore


def the_store() -> SplitStore:
    """The split store of this project."""
    from harness.settings import load_settings
    from harness.splits.store import SplitStore

    return SplitStore(load_settings().splits)


def the_dataset(reference: str) -> PerturbDataset:
    """A dataset by folder or name, verified."""
    from harness.cli.data_names import dataset_folder
    from harness.datasets.dataset import open_dataset

    return open_dataset(dataset_folder(reference))


def complete_dataset(incomplete: str) -> list[str]:
    """Names of the datasets in the data folder."""
    from harness.cli.data_names import complete_dataset

    return complete_dataset(incomplete)


def complete_split(incomplete: str) -> list[str]:
    """Names of splits and aliases."""
    return [name for name in the_store().names() if name.startswith(incomplete)]


def complete_regime(incomplete: str) -> list[str]:
    """Names of regimes."""
    from harness.splits.regimes import regimes

    return [name for name in regimes() if name.startswith(incomplete)]
