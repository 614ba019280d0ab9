"""The splits that ship with the harness are what its regimes make of the demo screen that ships with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.synthetic import make_preset
from harness.splits.assignment import CALIB_PERTURBATIONS
from harness.splits.create import create_split, verify_split
from harness.splits.describe import describe_split
from harness.splits.store import SplitStore

SHIPPED = SplitStore(Path(__file__).parents[2] / "splits")
MADE_BY: dict[str, dict[str, Any]] = {
    "context_ood": {"holdout_context": ("C0",)},
    "perturbation_ood": {},
    "combo": {},
    "iid": {},
    "covariate_transfer": {},
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> PerturbDataset:
    return open_dataset(make_preset("demo", tmp_path_factory.mktemp("data") / "demo"))


def test_every_shipped_split_is_listed_here() -> None:
    assert {entry.name for entry in SHIPPED.list() if entry.dataset == "demo"} == set(MADE_BY)


@pytest.mark.parametrize("name", sorted(MADE_BY))
def test_a_shipped_split_is_made_again_with_the_same_hash(demo: PerturbDataset, name: str) -> None:
    shipped = SHIPPED.load(f"demo:{name}", dataset=demo)
    assert create_split(demo, name, **MADE_BY[name]).frozen_hash == shipped.frozen_hash
    verify_split(shipped, demo)


def test_the_default_task_has_enough_conditions_and_calibration_perturbations(demo: PerturbDataset) -> None:
    facts = describe_split(SHIPPED.load("demo:context_ood", dataset=demo), demo)
    assert facts["conditions"]["val"] >= 40
    assert facts["conditions"]["test"] >= 40
    assert facts["perturbations"]["calib"] >= CALIB_PERTURBATIONS


def test_the_default_task_holds_out_context_c0_alone(demo: PerturbDataset) -> None:
    rows = SHIPPED.load("demo:context_ood").rows("test")
    assert set(demo.obs.context.names(rows)) == {"C0"}
    trained = SHIPPED.load("demo:context_ood").rows("train")
    assert not np.any(demo.obs.context.names(trained) == "C0")
