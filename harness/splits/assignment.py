"""`Assignment`: what a regime decides, and the building blocks that regimes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Labels
from harness.digest import seed_from
from harness.errors import HarnessError, UnknownNameError
from harness.splits.split import ROLES, Role

ASIDE = -1
TRAIN, VAL, CALIB, TEST, IID = range(len(ROLES))
CODE: Mapping[Role, int] = {role: code for code, role in enumerate(ROLES)}

CALIB_PERTURBATIONS = 19
"""The fewest calibration perturbations with which a 95 % conformal interval is finite: ⌈0.95·(n+1)⌉ ≤ n."""
IID_MIN_CELLS = 12
IID_MIN_HIDDEN = 4


@dataclass(frozen=True)
class Assignment:
    """The role of each row as a regime decides it; `create_split` checks it for leaks and freezes it."""

    role_of: NDArray[np.int8]  # [rows], position in ROLES, −1: set aside
    ood_axes: tuple[str, ...]
    params: Mapping[str, Any]
    """Every parameter as it was resolved, so that the same call with them gives the same split."""
    strata: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    set_aside: Mapping[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def stream(*axes: object) -> np.random.Generator:
    """The random stream of named axes, e.g. `stream("context_ood", seed, "val")`."""
    return np.random.default_rng(seed_from("splits", *axes))


def shuffled(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Names in seeded order; the order in which they were given does not matter."""
    return [sorted(names)[i] for i in rng.permutation(len(names))]


def deal(
    names: Sequence[str], parts: Mapping[Role, int], rng: np.random.Generator, rest: Role = "train"
) -> dict[str, Role]:
    """Deal shuffled names: so many to each role, what is left to `rest`."""
    deck = shuffled(names, rng)
    roles: dict[str, Role] = dict.fromkeys(deck, rest)
    start = 0
    for role, n in parts.items():
        roles.update(dict.fromkeys(deck[start : start + n], role))
        start += n
    return roles


def calib_size(n: int, fraction: float) -> int:
    """How many of n perturbations calibrate: the fraction, raised to 19 where that takes no more than 15 % of them.

    At least one, unless the fraction is 0.
    """
    if fraction == 0:
        return 0
    return max(1, round(n * fraction), min(CALIB_PERTURBATIONS, int(n * 0.15)))


def share(n: int, fraction: float, *, of: str) -> int:
    """A fraction of n as a whole number, at least one; fractions outside (0, 1) are refused."""
    if not 0 < fraction < 1:
        raise HarnessError(f"the fraction of {of} is out of range", got=fraction, expected="0 < fraction < 1")
    return max(1, round(n * fraction))


def roles_by_level(labels: Labels, role_of_level: Mapping[str, Role]) -> NDArray[np.int8]:
    """The role of each row from the role of its name; names without a role are set aside. [rows]"""
    codes = [CODE[role_of_level[level]] if level in role_of_level else ASIDE for level in labels.levels]
    return np.array([*codes, ASIDE], np.int8)[labels.codes]


def perturbed_contexts(dataset: PerturbDataset) -> list[str]:
    """Contexts with at least one perturbed cell, sorted."""
    codes = np.unique(dataset.obs.context.codes[~dataset.obs.is_control])
    return [dataset.obs.context.levels[code] for code in codes]


def perturbations(dataset: PerturbDataset) -> list[str]:
    """Perturbations with at least one cell, sorted."""
    codes = np.unique(dataset.obs.pert.codes[~dataset.obs.is_control])
    return [dataset.obs.pert.levels[code] for code in codes]


def known_contexts(dataset: PerturbDataset, named: Sequence[str]) -> list[str]:
    """Contexts that a user named, each checked to exist and to have perturbed cells."""
    there = perturbed_contexts(dataset)
    for name in named:
        if name not in there:
            raise UnknownNameError("context", name, there, where=f"dataset {dataset.name}")
    return sorted(set(named))


def rows_by_pert(dataset: PerturbDataset) -> dict[str, NDArray[np.int64]]:
    """The perturbed rows of each perturbation, by name, sorted."""
    rows = np.flatnonzero(~dataset.obs.is_control)
    codes = dataset.obs.pert.codes[rows]
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    parts = np.split(rows[order], starts[1:])
    return {dataset.obs.pert.levels[code]: part for code, part in zip(present, parts, strict=True)}


def perts_in(dataset: PerturbDataset, rows: NDArray[np.bool_]) -> set[str]:
    """The perturbations of the perturbed cells among some rows."""
    codes = np.unique(dataset.obs.pert.codes[rows & ~dataset.obs.is_control])
    return {dataset.obs.pert.levels[code] for code in codes}


def has_pert(dataset: PerturbDataset, names: set[str]) -> NDArray[np.bool_]:
    """Which rows have one of these perturbations. [rows]"""
    wanted = np.array([level in names for level in dataset.obs.pert.levels] or [False], np.bool_)
    return np.asarray(wanted[dataset.obs.pert.codes])


def set_unseen_aside(
    dataset: PerturbDataset, role_of: NDArray[np.int8], roles: Sequence[Role] = ("val", "calib", "test")
) -> dict[str, list[str]]:
    """Take from hidden roles the perturbations that training has not seen, in place; the names by reason."""
    seen = has_pert(dataset, perts_in(dataset, role_of == TRAIN))
    aside: dict[str, list[str]] = {}
    for role in roles:
        unseen = (role_of == CODE[role]) & ~seen & ~dataset.obs.is_control
        if unseen.any():
            aside[f"perturbations of {role} that training has not seen"] = sorted(perts_in(dataset, unseen))
            role_of[unseen] = ASIDE
    return aside


def hide_iid(
    dataset: PerturbDataset,
    role_of: NDArray[np.int8],
    rng: np.random.Generator,
    *,
    conditions: int,
    fraction: float,
    among: NDArray[np.bool_] | None = None,
) -> None:
    """Hide some cells of some training conditions, in place: the in-distribution reference.

    Up to `conditions` seeded conditions with at least 12 training cells give `fraction` of them, at least 4.
    """
    if not 0 <= fraction < 0.6:
        raise HarnessError(
            "iid_fraction is out of range",
            got=fraction,
            expected="0 ≤ fraction < 0.6, as training keeps the rest",
        )
    of_row = dataset.conditions.of_row
    candidate = (role_of == TRAIN) & (of_row >= 0)
    if among is not None:
        candidate &= among
    rows = np.flatnonzero(candidate)
    rows = rows[np.argsort(of_row[rows], kind="stable")]
    keys, starts, counts = np.unique(of_row[rows], return_index=True, return_counts=True)
    large = np.flatnonzero(counts >= IID_MIN_CELLS)
    for i in rng.permutation(large)[:conditions] if len(keys) else ():
        hidden = max(IID_MIN_HIDDEN, round(counts[i] * fraction))
        role_of[rows[starts[i] + rng.permutation(counts[i])[:hidden]]] = IID


def calib_notes(dataset: PerturbDataset, role_of: NDArray[np.int8]) -> list[str]:
    """What a reader must know of the calibration role when it is small."""
    n = len(perts_in(dataset, role_of == CALIB))
    if n >= CALIB_PERTURBATIONS:
        return []
    return [
        f"calib holds {n} perturbation{'' if n == 1 else 's'}: "
        f"95 % conformal intervals need at least {CALIB_PERTURBATIONS}"
    ]
