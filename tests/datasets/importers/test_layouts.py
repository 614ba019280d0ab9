"""Known layouts need no options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.datasets.dataset import open_dataset
from harness.datasets.importers.registry import importer

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, write_h5ad: Callable[..., Path]) -> Run:
    def go(name: str, cells: Any, **options: Any) -> Any:
        reader = importer(name)
        return open_dataset(reader.run(write_h5ad(cells), tmp_path / name, reader.options(**options)))

    return go


def test_perturbench_contexts_are_cell_type_and_treatment(cells: Any, run: Run) -> None:
    cells.obs["condition"] = cells.obs.pop("perturbation")
    cells.obs["treatment"] = ["IFNb" if i % 2 else "none" for i in range(240)]
    dataset = run("perturbench", cells)
    assert dataset.obs.context.levels == ("B cell · IFNb", "B cell · none", "T cell · IFNb", "T cell · none")
    assert "G1+G2" in dataset.obs.pert.levels


def test_scperturb_combinations_are_split_at_underscores(cells: Any, run: Run) -> None:
    cells.obs["perturbation"] = [p.replace("+", "_") for p in cells.obs["perturbation"]]
    cells.obs["celltype"] = cells.obs.pop("cell_type")
    dataset = run("scperturb", cells)
    assert dataset.meta.perturbations["G1+G2"] == ["G1", "G2"]


def test_scperturbench_doses_are_part_of_the_condition(cells: Any, run: Run) -> None:
    cells.obs["celltype"] = cells.obs.pop("cell_type")
    dataset = run("scperturbench", cells)
    assert dataset.obs.context.levels == ("B cell", "T cell")
    assert dataset.obs.intervention == ("dose",)


def test_what_is_told_goes_before_the_layout(cells: Any, run: Run) -> None:
    cells.obs["guide"] = cells.obs.pop("perturbation")
    dataset = run("scperturbench", cells, pert_column="guide", context_column="batch")
    assert dataset.obs.context.levels == ("b1", "b2")
    assert np.array_equal(dataset.obs.context.codes, dataset.obs.batch.codes)
