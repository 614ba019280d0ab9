"""Holding out groups of perturbations: single perturbations, scaffolds, mechanisms of action."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.datasets.dataset import PerturbDataset
from harness.digest import file_hash
from harness.errors import HarnessError, UnknownNameError
from harness.splits.assignment import (
    Assignment,
    calib_notes,
    calib_size,
    deal,
    hide_iid,
    perturbations,
    roles_by_level,
    share,
    stream,
)
from harness.splits.constituents import constituents
from harness.splits.split import Role


def hold_out_groups(
    dataset: PerturbDataset,
    group_of: Mapping[str, str],
    *,
    kind: str,
    seed: int,
    holdout: Sequence[str],
    fraction: float,
    val_fraction: float,
    calib_fraction: float,
    iid_conditions: int,
    iid_fraction: float,
    params: Mapping[str, Any],
    candidates: Sequence[str] | None = None,
) -> Assignment:
    """Deal groups of single perturbations to roles; a perturbation with constituents in two roles is set aside.

    `group_of` maps single perturbations to groups; singles without a group are set aside. Only `candidates` (all
    groups, unless told) can be held out; the others train.
    """
    groups = sorted(set(group_of.values()))
    role_of_group: dict[str, Role] = dict.fromkeys(groups, "train")
    role_of_group |= _deal_groups(
        sorted(groups if candidates is None else candidates),
        holdout,
        (fraction, val_fraction, calib_fraction),
        kind,
        seed,
    )
    role_of_pert, set_aside = _follow_constituents(dataset, group_of, role_of_group)
    role_of_pert[dataset.meta.control_label] = "train"
    role_of = roles_by_level(dataset.obs.pert, role_of_pert)
    hide_iid(dataset, role_of, stream(kind, seed, "iid"), conditions=iid_conditions, fraction=iid_fraction)
    resolved = dict(params) | {
        "fraction": fraction,
        "val_fraction": val_fraction,
        "calib_fraction": calib_fraction,
        "iid_conditions": iid_conditions,
        "iid_fraction": iid_fraction,
        "held_out": {
            role: sorted(g for g, given in role_of_group.items() if given == role)
            for role in ("test", "val", "calib")
        },
    }
    return Assignment(
        role_of, ("perturbation",), resolved, set_aside=set_aside, notes=tuple(calib_notes(dataset, role_of))
    )


def read_groups(dataset: PerturbDataset, source: str) -> tuple[dict[str, str], dict[str, Any]]:
    """The group of each perturbation, from a covariate or a TSV (`perturbation<tab>group`), and what to record of it."""
    if source in dataset.obs.covariates:
        return _groups_of_covariate(dataset, source), {"groups": source}
    path = Path(source)
    if not path.is_file():
        raise HarnessError(
            f"{source!r} is neither a covariate of the dataset nor a file",
            where=f"dataset {dataset.name}",
            got=f"covariates {', '.join(dataset.obs.covariates) or '(none)'}",
            expected="the group of each perturbation: a covariate, or a TSV with lines perturbation<tab>group",
            mend="give the path of such a file",
        )
    known = {part for parts in constituents(dataset).values() for part in parts}
    groups: dict[str, str] = {}
    with path.open(encoding="utf-8-sig", newline="") as handle:
        for number, fields in enumerate(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if len(fields) < 2:
                raise HarnessError(
                    "mapping has a line without two columns",
                    where=f"{path}:{number}",
                    got="\t".join(fields),
                    expected="perturbation<tab>group",
                )
            if groups.setdefault(fields[0], fields[1]) != fields[1]:
                raise HarnessError(
                    f"perturbation {fields[0]!r} has two groups",
                    where=f"{path}:{number}",
                    got=f"{groups[fields[0]]!r} and {fields[1]!r}",
                )
    groups = {name: group for name, group in groups.items() if name in known}
    if not groups:
        raise HarnessError(
            "mapping names no perturbation of the dataset", where=path, expected=", ".join(sorted(known)[:5])
        )
    return groups, {"groups": path.name, "groups_sha256": file_hash(path)}


def _deal_groups(
    names: list[str], holdout: Sequence[str], fractions: tuple[float, float, float], kind: str, seed: int
) -> dict[str, Role]:
    for name in holdout:
        if name not in names:
            raise UnknownNameError(kind, name, names)
    rest = [name for name in names if name not in set(holdout)]
    fraction, val_fraction, calib_fraction = fractions
    n_test = 0 if holdout else share(len(names), fraction, of=f"{kind}s for test")
    n_val = share(len(names), val_fraction, of=f"{kind}s for val")
    n_calib = calib_size(len(names), calib_fraction)
    if n_test + n_val + n_calib >= len(rest):
        raise HarnessError(
            f"no {kind} is left to train on",
            got=f"{len(names)} {kind}s: {n_test or len(holdout)} for test, {n_val} for val, {n_calib} for calib",
            mend="hold out fewer, or lower the fractions",
        )
    parts: dict[Role, int] = {"test": n_test, "val": n_val, "calib": n_calib}
    roles = deal(rest, parts, stream(kind, seed, "deal"))
    return roles | dict.fromkeys(holdout, "test")


def _follow_constituents(
    dataset: PerturbDataset, group_of: Mapping[str, str], role_of_group: Mapping[str, Role]
) -> tuple[dict[str, Role], dict[str, list[str]]]:
    made_of = constituents(dataset)
    roles: dict[str, Role] = {}
    mixed, groupless = [], []
    for name in perturbations(dataset):
        found = {role_of_group[group_of[part]] for part in made_of[name] if part in group_of}
        if any(part not in group_of for part in made_of[name]):
            groupless.append(name)
        elif len(found) > 1:
            mixed.append(name)
        else:
            roles[name] = found.pop()
    aside = {
        "combinations of constituents with different roles": mixed,
        "perturbations without a group": groupless,
    }
    return roles, {reason: names for reason, names in aside.items() if names}


def _groups_of_covariate(dataset: PerturbDataset, name: str) -> dict[str, str]:
    obs = dataset.obs
    labels = obs.covariate_text(name)
    rows = np.flatnonzero(~obs.is_control)
    pairs = np.unique(np.stack([obs.pert.codes[rows], labels.codes[rows]]), axis=1)
    groups: dict[str, str] = {}
    for pert, label in pairs.T:
        key, group = obs.pert.levels[pert], labels.levels[label]
        if groups.setdefault(key, group) != group:
            raise HarnessError(
                f"perturbation {key!r} has two groups",
                where=f"dataset {dataset.name}, covariate {name}",
                got=f"{groups[key]!r} and {group!r}",
                expected="one group per perturbation",
            )
    return groups
