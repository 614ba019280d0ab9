"""Which split or regime is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.datasets.dataset import PerturbDataset
    from harness.splits.split import Split
    from harness.splits.store import SplitStore


def split_store() -> SplitStore:
    """The split store of this project."""
    from harness.settings import load_settings
    from harness.splits.store import SplitStore

    return SplitStore(load_settings().splits)


def dataset_of(split: Split, data: str | None) -> PerturbDataset | None:
    """The dataset of a split: as told, or from the data folder if it is there; always the content it was frozen over."""
    from harness.cli.names.datasets import named_dataset
    from harness.settings import load_settings
    from harness.splits.create import check_dataset

    if data is None and not (load_settings().data / split.dataset.name).is_dir():
        return None
    dataset = named_dataset(data or str(load_settings().data / split.dataset.name))
    check_dataset(split, dataset)
    return dataset


def complete_split(incomplete: str) -> list[str]:
    """Names of splits and aliases."""
    return [name for name in split_store().names() if name.startswith(incomplete)]


def complete_regime(incomplete: str) -> list[str]:
    """Names of regimes."""
    from harness.splits.regimes import regimes

    return [name for name in regimes() if name.startswith(incomplete)]
