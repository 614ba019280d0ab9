"""The metadata adversary on whole presets: what crosses the wall predicts nothing, and a planted leak is found."""

from __future__ import annotations

import pytest

from harness.controls.bench import Bench
from harness.controls.metadata import Verdict, metadata_adversary
from harness.datasets.dataset import open_dataset
from harness.datasets.synthetic import make_preset
from harness.splits.create import create_split
from harness.tasks.build import build_task

SCALES = {"tiny": 1.0, "demo": 0.2, "no-signal": 0.2, "stress-scale": 0.001, "stress-imbalance": 0.2}


def verdicts_on(name: str, scale: float, regime: str, folder) -> dict[str, Verdict]:
    dataset = open_dataset(make_preset(name, folder / name, scale=scale), verify=False)
    split = create_split(dataset, regime)
    found = metadata_adversary(
        Bench(dataset, split, build_task(dataset, split, "val", cache=folder / "cache"))
    )
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize("regime", ["context_ood", "perturbation_ood"])
@pytest.mark.parametrize("preset", SCALES)
def test_what_crosses_the_wall_beside_names_predicts_nothing(preset, regime, tmp_path):
    verdicts = verdicts_on(preset, SCALES[preset], regime, tmp_path)
    assert {"number", "size", "batch", "order", "all"} <= set(verdicts)
    assert not [f"{group}: {v}" for group, v in verdicts.items() if v.leaks]


@pytest.mark.parametrize("regime", ["context_ood", "perturbation_ood"])
def test_the_adversary_finds_the_leak_that_is_planted(regime, tmp_path):
    verdicts = verdicts_on("leaky", 0.3, regime, tmp_path)
    assert verdicts["covariates"].leaks
    assert verdicts["covariates"].gain > 0.2
    assert not [f"{g}: {v}" for g, v in verdicts.items() if g not in ("covariates", "all") and v.leaks]
