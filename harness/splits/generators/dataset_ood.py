"""A held-out dataset: train on some laboratories' data, be asked for another's, over the genes they share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Labels
from harness.errors import HarnessError, UnknownNameError
from harness.splits.assignment import (
    CODE,
    TEST,
    TRAIN,
    VAL,
    Assignment,
    calib_notes,
    hide_iid,
    set_unseen_aside,
    shuffled,
    stream,
)
from harness.splits.generators.context_ood import carve_calib
from harness.splits.leaks import conditions_apart, contexts_apart, datasets_apart, perturbations_seen
from harness.splits.split import Role

RULES = (conditions_apart, contexts_apart, datasets_apart, perturbations_seen)


def generate(
    dataset: PerturbDataset,
    *,
    seed: int,
    covariate: str = "dataset_id",
    test_dataset: str = "",
    val_dataset: str = "",
    calib_fraction: float = 0.3,
    iid_conditions: int = 50,
    iid_fraction: float = 0.25,
) -> Assignment:
    """Hold out one dataset of a merged artifact, whose covariate `dataset_id` says where each row comes from.

    Val is a second dataset when there are three or more; with two it is a held-out context of the training dataset.
    Held-out datasets keep only perturbations that training has seen. Calib is `calib_fraction` of val's perturbations.
    """
    origin = _origin(dataset, covariate)
    test, val = _held_out(list(origin.levels), test_dataset, val_dataset, seed)
    held: dict[str, Role] = {test: "test", val: "val"} if val else {test: "test"}
    role_of = np.array([CODE[held.get(name, "train")] for name in origin.levels], np.int8)[origin.codes]
    val_context = "" if val else _val_context(dataset, role_of, seed)
    if val_context:
        codes = dataset.obs.context.codes
        role_of[(codes == dataset.obs.context.code(val_context)) & (role_of == TRAIN)] = VAL
    set_aside = set_unseen_aside(dataset, role_of)
    if not np.any((role_of == TEST) & ~dataset.obs.is_control):
        raise HarnessError(
            f"dataset {test!r} shares no perturbation with those trained on",
            where=f"dataset {dataset.name}, covariate {covariate}",
            mend="merge datasets with common perturbation names",
        )
    carve_calib(dataset, role_of, calib_fraction, seed)
    hide_iid(
        dataset, role_of, stream("dataset_ood", seed, "iid"), conditions=iid_conditions, fraction=iid_fraction
    )
    note = f"val is context {val_context!r} of a training dataset: with two datasets there is no third to validate on"
    return Assignment(
        role_of,
        ("dataset", "context"),
        {
            "covariate": covariate,
            "test_dataset": test,
            "val_dataset": val,
            "val_context": val_context,
            "calib_fraction": calib_fraction,
            "iid_conditions": iid_conditions,
            "iid_fraction": iid_fraction,
        },
        set_aside=set_aside,
        notes=(
            *([note] if val_context else []),
            "calib is carved out of val",
            *calib_notes(dataset, role_of),
        ),
    )


def _origin(dataset: PerturbDataset, covariate: str) -> Labels:
    if covariate not in dataset.obs.covariates:
        raise HarnessError(
            f"holding out a dataset needs a merged artifact with covariate {covariate!r}",
            where=f"dataset {dataset.name}",
            got=", ".join(dataset.obs.covariates) or "no covariates",
            mend="harness data merge A B --out DIR makes one",
        )
    origin = dataset.obs.covariate_text(covariate)
    if len(origin.levels) < 2:
        raise HarnessError(
            "holding out a dataset needs at least two",
            where=f"dataset {dataset.name}, covariate {covariate}",
            got=", ".join(origin.levels),
        )
    return origin


def _held_out(names: list[str], test_dataset: str, val_dataset: str, seed: int) -> tuple[str, str]:
    """The datasets for test and val, named or drawn; val is empty where there is no third dataset."""
    test = _named(test_dataset, names) if test_dataset else _draw(names, seed, "test")
    rest = [name for name in names if name != test]
    val = ""
    if val_dataset:
        val = _named(val_dataset, rest)
    elif len(rest) > 1:
        val = _draw(rest, seed, "val")
    if rest == [val]:
        raise HarnessError("no dataset is left to train on", got=f"test {test}, val {val}")
    return test, val


def _named(name: str, known: list[str]) -> str:
    if name not in known:
        raise UnknownNameError("dataset", name, known)
    return name


def _draw(names: list[str], seed: int, role: str) -> str:
    return shuffled(names, stream("dataset_ood", seed, role))[0]


def _val_context(dataset: PerturbDataset, role_of: NDArray[np.int8], seed: int) -> str:
    obs = dataset.obs
    codes = np.unique(obs.context.codes[(role_of == TRAIN) & ~obs.is_control])
    if len(codes) < 2:
        raise HarnessError(
            "with two datasets val is a context of the training dataset, which needs at least two",
            where=f"dataset {dataset.name}",
            got=", ".join(obs.context.levels[code] for code in codes),
            mend="merge a third dataset",
        )
    return _draw([obs.context.levels[code] for code in codes], seed, "val context")
