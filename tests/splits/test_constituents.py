"""What perturbations are made of."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.datasets.dataset import PerturbDataset
from harness.splits.constituents import combinations, constituents


def dataset(levels: list[str], targets: dict[str, list[str]]) -> PerturbDataset:
    meta = SimpleNamespace(control_label="control", perturbations=targets)
    obs = SimpleNamespace(pert=SimpleNamespace(levels=("control", *levels)))
    return cast(PerturbDataset, cast(Any, SimpleNamespace(meta=meta, obs=obs)))


@pytest.mark.parametrize(
    ("levels", "targets", "name", "parts"),
    [
        (["A", "B", "A+B"], {}, "A+B", ("A", "B")),
        (["A+B"], {"A+B": ["A", "B"]}, "A+B", ("A", "B")),
        (["(+)-JQ1", "JQ1"], {}, "(+)-JQ1", ("(+)-JQ1",)),
        (["Ca2+"], {}, "Ca2+", ("Ca2+",)),
        (["A", "A+control"], {}, "A+control", ("A",)),
        (["A", "B", "C", "C+A+B"], {}, "C+A+B", ("A", "B", "C")),
    ],
)
def test_a_plus_is_a_combination_only_where_its_parts_are_known(
    levels: list[str], targets: dict[str, list[str]], name: str, parts: tuple[str, ...]
) -> None:
    assert constituents(dataset(levels, targets))[name] == parts


def test_combinations_are_those_that_were_measured(grid: Callable[..., PerturbDataset]) -> None:
    assert combinations(grid(["C0"], ["A", "B", "B+A"], cells=1, controls=1)) == ["B+A"]
