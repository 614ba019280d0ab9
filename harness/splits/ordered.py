"""Holding out values of an ordered covariate, dose or time, perturbation by perturbation."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Labels
from harness.errors import HarnessError, UnknownNameError
from harness.splits.assignment import (
    CODE,
    TRAIN,
    Assignment,
    calib_notes,
    calib_size,
    deal,
    hide_iid,
    rows_by_pert,
    share,
    stream,
)

Kind = Literal["interpolation", "extrapolation"]
FEWEST = {"extrapolation": 2, "interpolation": 3}


def hold_out_values(
    dataset: PerturbDataset,
    axis: Literal["dose", "time"],
    *,
    covariate: str,
    kind: Kind,
    seed: int,
    val_fraction: float,
    calib_fraction: float,
    iid_conditions: int,
    iid_fraction: float,
) -> Assignment:
    """Hold out one value of each perturbation that has enough: its highest, or a seeded one between its ends.

    Perturbations are dealt to test, val and calib; each has its value held out in every context.
    """
    values = ordered_values(dataset, covariate)
    rows_of = rows_by_pert(dataset)
    per_pert = {name: np.unique(values[rows]) for name, rows in rows_of.items()}
    usable = {name: found for name, found in per_pert.items() if len(found) >= FEWEST[kind]}
    if len(usable) < 3:
        raise HarnessError(
            f"{axis} {kind} needs at least three perturbations with {FEWEST[kind]} values or more of {covariate!r}",
            where=f"dataset {dataset.name}",
            got=f"{len(usable)} such perturbations of {len(per_pert)}",
            mend="choose another covariate" + ("" if kind == "extrapolation" else ", or kind=extrapolation"),
        )
    n = len(usable)
    roles = deal(
        list(usable),
        {"val": share(n, val_fraction, of="val perturbations"), "calib": calib_size(n, calib_fraction)},
        stream(axis, seed, "deal"),
        rest="test",
    )
    role_of = np.full(dataset.n_obs, TRAIN, np.int8)
    held_out: dict[str, float] = {}
    for name, found in usable.items():
        inner = found[-1:] if kind == "extrapolation" else found[1:-1]
        held_out[name] = float(inner[stream(axis, seed, "value", name).integers(len(inner))])
        rows = rows_of[name]
        role_of[rows[values[rows] == held_out[name]]] = CODE[roles[name]]
    hide_iid(dataset, role_of, stream(axis, seed, "iid"), conditions=iid_conditions, fraction=iid_fraction)
    return Assignment(
        role_of,
        (axis,),
        {
            "covariate": covariate,
            "kind": kind,
            "val_fraction": val_fraction,
            "calib_fraction": calib_fraction,
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
            "held_out": held_out,
        },
        notes=(
            f"{len(per_pert) - n} of {len(per_pert)} perturbations have too few values and train whole",
            *calib_notes(dataset, role_of),
        ),
    )


def ordered_values(dataset: PerturbDataset, covariate: str) -> NDArray[np.float64]:
    """An intervention covariate as numbers. [rows]; NaN for controls without a number"""
    obs = dataset.obs
    if not obs.intervention:
        raise HarnessError(
            f"holding out values of {covariate!r} needs a covariate that describes the intervention",
            where=f"dataset {dataset.name}",
            got=", ".join(obs.covariates) or "no covariates",
            mend="import the dataset with its dose (or time) column as an intervention covariate",
        )
    if covariate not in obs.covariates:
        raise UnknownNameError("covariate", covariate, obs.covariates, where=f"dataset {dataset.name}")
    if covariate not in obs.intervention:
        raise HarnessError(
            f"covariate {covariate!r} is not part of the intervention, so its values are no conditions of their own",
            where=f"dataset {dataset.name}",
            expected=f"one of {', '.join(obs.intervention) or 'no covariate of this dataset'}",
            mend="import the dataset with this covariate marked as intervention",
        )
    column = obs.covariates[covariate]
    values = _numbers(column) if isinstance(column, Labels) else column
    bad = np.flatnonzero(~np.isfinite(values) & ~obs.is_control)
    if len(bad):
        text = obs.covariate_text(covariate)
        raise HarnessError(
            f"covariate {covariate!r} is not ordered: it holds values that are no numbers",
            where=f"dataset {dataset.name}, row {bad[0]}",
            got=repr(text.levels[text.codes[bad[0]]]),
            mend="import it as numbers of one unit",
        )
    return values


def _numbers(column: Labels) -> NDArray[np.float64]:
    levels = np.full(len(column.levels), np.nan)
    for i, text in enumerate(column.levels):
        try:
            levels[i] = float(text)
        except ValueError:
            continue
    return np.asarray(levels[column.codes], np.float64)
