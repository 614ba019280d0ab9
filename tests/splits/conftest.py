"""Small real artifacts for the split tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels

Build = Callable[..., PerturbDataset]
GENES = ["G0", "G1", "G2"]
SINGLES = [f"P{i:02d}" for i in range(24)]
DOUBLES = [f"P{i:02d}+P{i + 1:02d}" for i in range(20)]
LABS = {"C0": "lab1", "C1": "lab1", "C2": "lab2", "C3": "lab2", "C4": "lab3", "C5": "lab3"}


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build an artifact from columns, in any row order, with random expression."""

    def make(
        *,
        context: Sequence[str],
        pert: Sequence[str],
        cell_ids: Sequence[str] | None = None,
        covariates: Mapping[str, Sequence[Any]] | None = None,
        intervention: tuple[str, ...] = (),
        name: str = "screen",
        folder: Path | None = None,
    ) -> PerturbDataset:
        out = (folder or tmp_path_factory.mktemp("data")) / name
        perts = Labels.of(pert)
        n = len(perts)
        columns = {
            key: np.array(values, float) if not isinstance(values[0], str) else Labels.of(values)
            for key, values in (covariates or {}).items()
        }
        rows = Rows(
            pert=perts,
            context=Labels.of(context),
            batch=Labels.of(["b0" if i % 2 else "b1" for i in range(n)]),
            is_control=np.array([p == "control" for p in pert]),
            cell_ids=pa.array(list(cell_ids) if cell_ids is not None else [f"cell{i}" for i in range(n)]),
            covariates=columns,
            intervention=intervention,
        )
        rows = rows.take(rows.order())
        targets = {p: p.split("+") for p in perts.levels if p != "control"}
        how = Preprocessing(found="counts", steps=[], gene_space="all")
        with build_dataset(
            out, name=name, genes=GENES, rows=rows, perturbations=targets, preprocessing=how
        ) as arrays:
            arrays.X[...] = np.random.default_rng(7).normal(size=arrays.X.shape)
        return open_dataset(out)

    return make


@pytest.fixture(scope="session")
def grid(build: Build) -> Build:
    """A plain screen: every perturbation in every context, unless `without` names the pair."""

    def make(
        contexts: Sequence[str],
        perts: Sequence[str],
        *,
        cells: int = 14,
        controls: int = 30,
        without: Sequence[tuple[str, str]] = (),
        **given: Any,
    ) -> PerturbDataset:
        pairs = [(c, "control", controls) for c in contexts]
        pairs += [(c, p, cells) for c in contexts for p in perts if (c, p) not in without]
        return build(
            context=[c for c, _, n in pairs for _ in range(n)],
            pert=[p for _, p, n in pairs for _ in range(n)],
            **given,
        )

    return make


@pytest.fixture(scope="session")
def everything(build: Build) -> PerturbDataset:
    """A screen that fits every regime: six contexts of three laboratories, doubles, doses, times, mechanisms."""
    cells: list[tuple[str, str, float, float]] = []
    for context in LABS:
        cells += [(context, "control", 0.0, 0.0)] * 30
        for i, pert in enumerate(SINGLES):
            for level in (1.0, 2.0, 3.0):
                dose, time = (level, 1.0) if i % 2 else (1.0, level)
                cells += [(context, pert, dose, time)] * 12
        cells += [(context, pert, 1.0, 1.0) for pert in DOUBLES for _ in range(12)]
    return build(
        context=[c for c, *_ in cells],
        pert=[p for _, p, *_ in cells],
        covariates={
            "dose": [d for *_, d, _ in cells],
            "time": [t for *_, t in cells],
            "moa": [f"class {int(p[1:3]) % 8}" if p != "control" else "none" for _, p, *_ in cells],
            "dataset_id": [LABS[c] for c, *_ in cells],
        },
        intervention=("dose", "time"),
        name="everything",
    )
