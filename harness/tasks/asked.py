"""Which hidden conditions a task asks for, and as what: reported, calibration, in distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import EvalSplit
from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Condition
from harness.digest import seed_from
from harness.errors import HarnessError
from harness.splits.split import ROLES, Role, Split

Kind = Literal["reported", "calib", "iid", "canary"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LABELLED: dict[EvalSplit, tuple[Role, ...]] = {"val": ("train",), "test": ("train", "val")}
"""The roles whose labels are given, by evaluation split."""
CALIB_SHARE = 0.3
"""Of the conditions that have both reported and calib cells."""


@dataclass(frozen=True)
class Asked:
    """One condition that is asked for, and the cells that hold its answer."""

    condition: Condition
    kind: Kind
    rows: NDArray[np.int64]  # hidden dataset rows; none for a canary
    stratum: str | None = None


def asked_conditions(
    dataset: PerturbDataset, split: Split, role: NDArray[np.int8], eval_split: EvalSplit
) -> tuple[list[Asked], list[str]]:
    """Every condition with hidden cells in the evaluation split, calib or iid, each once; and what there is to note.

    Where conditions have cells in both of the first two (as in an i.i.d. split), a share of them serves calibration.
    """
    of_row = dataset.conditions.of_row
    roles: dict[Kind, Role] = {"reported": eval_split, "calib": "calib", "iid": "iid"}
    cells = {kind: _cells_by_condition(of_row, role == ROLES.index(name)) for kind, name in roles.items()}
    shared = sorted(cells["reported"].keys() & cells["calib"].keys())
    order = np.random.default_rng(seed_from("calib of shared conditions", split.frozen_hash))
    for index in order.permutation(shared)[: round(CALIB_SHARE * len(shared))]:
        del cells["reported"][int(index)]
    stratum_of, strata = _strata(split)
    found: dict[int, Asked] = {}
    unused = 0
    for kind, by_condition in cells.items():
        for index, rows in by_condition.items():
            if index in found:
                unused += 1
                continue
            stratum = int(stratum_of[rows[0]])
            name_of_stratum = strata[stratum] if stratum >= 0 else None
            found[index] = Asked(dataset.conditions.table[index], kind, rows, name_of_stratum)
    if not any(asked.kind == "reported" for asked in found.values()):
        raise HarnessError(
            f"the split has nothing to report on {eval_split}",
            where=f"{split.dataset.name}:{split.name}",
            got=f"no perturbed row has role {eval_split}",
            mend="choose another evaluation split, or create a split with such rows",
        )
    notes = []
    if shared or unused:
        notes.append(
            f"{len(shared)} conditions have both {eval_split} and calib cells: {CALIB_SHARE:.0%} of them serve calibration; "
            "their cells in the other hidden roles are left unused"
        )
    return list(found.values()), notes


def _cells_by_condition(of_row: NDArray[np.int32], chosen: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    rows = np.flatnonzero(chosen & (of_row >= 0))
    rows = rows[np.argsort(of_row[rows], kind="stable")]
    indices, starts = np.unique(of_row[rows], return_index=True)
    return dict(zip(indices.tolist(), np.split(rows, starts)[1:], strict=True))


def _strata(split: Split) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The stratum of each row as its position in the names, −1 where it has none."""
    codes = np.full(split.n_obs, -1, np.int16)
    for code, runs in enumerate(split.strata.values()):
        for start, stop in runs:
            codes[start:stop] = code
    return codes, tuple(split.strata)
