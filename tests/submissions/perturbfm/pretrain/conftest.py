"""A small artifact with a frozen split, and pretrainings of a second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from perturbfm.network import Design
from perturbfm.pretrain.artifact import artifact_source
from perturbfm.pretrain.autoencoder import Objective
from perturbfm.pretrain.ranks import Ranks
from perturbfm.pretrain.source import Source
from perturbfm.pretrain.splits import read_split
from perturbfm.pretrain.training import Pretraining, Settings

from harness.splits.create import create_split
from harness.splits.split import Split
from harness.splits.store import SplitStore

QUICK = Settings(steps=12, batch=16, evaluate_every=1, checkpoint_every=2)


@pytest.fixture
def split(tiny_dataset) -> Split:
    return create_split(tiny_dataset, "context_ood")


@pytest.fixture
def split_file(split, tmp_path) -> Path:
    return SplitStore(tmp_path / "splits").save(split)


@pytest.fixture
def source(tiny_dataset, split_file, tmp_path) -> Source:
    return artifact_source(tiny_dataset.path, tmp_path / "rows", [read_split(split_file)])


@pytest.fixture
def pretraining(source) -> Callable[..., Pretraining]:
    """`pretraining(folder, objective=…, steps=…)`"""

    def make(
        folder: Path | None = None,
        *,
        of: Source | None = None,
        ranks: Ranks | None = None,
        objective: str = "denoise",
        width: int = 8,
        encoder: str = "mlp",
        **changed: object,
    ) -> Pretraining:
        settings = Settings(**{**vars(QUICK), "objective": Objective(objective), **changed})
        design = Design(width=width, hidden=16, encoder=encoder)
        return Pretraining(of or source, design, settings, ranks=ranks, folder=folder)

    return make


def digest(run: Pretraining) -> str:
    weights = run.model.state_dict()
    return hashlib.sha256(b"".join(weights[name].numpy().tobytes() for name in sorted(weights))).hexdigest()
