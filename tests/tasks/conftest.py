"""Small datasets with known corners: free pairs, doses, combinations, few controls, profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from harness.contract.task import NamedHash
from harness.datasets.builder import Rows, build_dataset
from harness.datasets.dataset import PerturbDataset, open_dataset
from harness.datasets.meta import Preprocessing
from harness.datasets.obs import Labels
from harness.splits.split import ROLES, Split, freeze

GENES = [f"G{i:02d}" for i in range(24)]


class Group(NamedTuple):
    """Cells of one context and perturbation."""

    context: str
    pert: str
    n: int
    dose: float | None = None


def crossed(
    contexts: Sequence[str],
    perts: Sequence[str],
    *,
    n: int = 4,
    controls: int = 40,
    without: Sequence[tuple[str, str]] = (),
) -> list[Group]:
    """Every perturbation in every context, besides some pairs."""
    groups = [Group(context, "control", controls) for context in contexts]
    groups += [Group(c, p, n) for c in contexts for p in perts if (c, p) not in without]
    return groups


def make_dataset(out: Path, groups: Sequence[Group], *, seed: int = 0, **options: Any) -> PerturbDataset:
    """Cells with random expression; every value is another."""
    rng = np.random.default_rng(seed)
    each = [group for group in groups for _ in range(group.n)]
    doses = np.array([np.nan if g.dose is None else g.dose for g in each])
    with_dose = bool(np.isfinite(doses).any())
    rows = Rows(
        pert=Labels.of([g.pert for g in each]),
        context=Labels.of([g.context for g in each]),
        batch=Labels.of([f"b{v}" for v in rng.integers(0, 2, len(each))]),
        is_control=np.array([g.pert == "control" for g in each]),
        cell_ids=pa.array([f"cell{i}" for i in range(len(each))]),
        covariates={"dose": np.where(np.isnan(doses), 0.0, doses)} if with_dose else {},
        intervention=("dose",) if with_dose else (),
    )
    rows = rows.take(rows.order())
    perts = sorted({g.pert for g in groups} - {"control"})
    options.setdefault("perturbations", {p: p.split("+") if p.startswith("G") else [] for p in perts})
    with build_dataset(
        out,
        name=out.name,
        genes=GENES,
        rows=rows,
        preprocessing=Preprocessing(found="log_normalised", steps=[], gene_space="all"),
        seed=seed,
        **options,
    ) as arrays:
        arrays.X[...] = rng.gamma(2.0, 1.0, arrays.X.shape)
        if arrays.counts is not None:
            arrays.counts[...] = rng.integers(0, 1 << 30, arrays.X.shape)
        for array in arrays.obsm.values():
            array[...] = rng.normal(size=array.shape)
    return open_dataset(out)


def make_split(
    dataset: PerturbDataset, role: Callable[[str, str], str], *, name: str = "s", **options: Mapping[str, Any]
) -> Split:
    """A split by the rule (context, perturbation) → role, `aside` for none; controls are given as ("…", "control")."""
    names = zip(dataset.obs.context.names(), dataset.obs.pert.names(), strict=True)
    codes = {**{r: i for i, r in enumerate(ROLES)}, "aside": -1}
    return freeze(
        name=name,
        dataset=NamedHash(name=dataset.name, hash=dataset.data_hash),
        regime="test",
        params={},
        seed=0,
        ood_axes=["context"],
        role_of=np.array([codes[role(c, p)] for c, p in names], np.int8),
        **options,  # type: ignore[arg-type]
    )


def context_roles(context: str, pert: str) -> str:
    """C0…C2 train, C3 val, C4 calib, C5 test."""
    return {"C3": "val", "C4": "calib", "C5": "test"}.get(context, "train")


class Corner(NamedTuple):
    """The makers, for tests that need their own corner."""

    Group: type[Group]
    crossed: Callable[..., list[Group]]
    dataset: Callable[..., PerturbDataset]
    split: Callable[..., Split]


@pytest.fixture(scope="session")
def make() -> Corner:
    return Corner(Group, crossed, make_dataset, make_split)


@pytest.fixture(scope="session")
def six(tmp_path_factory: pytest.TempPathFactory) -> tuple[PerturbDataset, Split]:
    """Six contexts × twelve perturbations with some pairs never measured, counts and an embedding; context split."""
    contexts = [f"C{i}" for i in range(6)]
    perts = [f"G{i:02d}" for i in range(12)]
    without = [("C3", "G01"), ("C3", "G05"), ("C4", "G02"), ("C4", "G07"), ("C5", "G03"), ("C0", "G09")]
    dataset = make_dataset(
        tmp_path_factory.mktemp("six") / "six",
        crossed(contexts, perts, without=without),
        counts_dtype="<u4",
        embeddings={"emb": 3},
    )
    return dataset, make_split(dataset, context_roles, name="ctx")
