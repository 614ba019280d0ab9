"""Which hidden conditions a task asks for, and as what: reported, calibration, in distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.contract.task import EvalSplit
from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Condition
from harness.errors import HarnessError
from harness.splits.split import ROLES, Role, Split

Kind = Literal["reported", "calib", "iid", "canary"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LABELLED: dict[EvalSplit, tuple[Role, ...]] = {"val": ("train",), "test": ("train", "val")}
"""The roles whose labels are given, by evaluation split."""


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

    A condition that has cells in several of these roles is asked for as the first of them.
    """
    of_row = dataset.conditions.of_row
    kinds: dict[Kind, Role] = {"reported": eval_split, "calib": "calib", "iid": "iid"}
    stratum_of, strata = _strata(split)
    found: dict[int, Asked] = {}
    twice = 0
    for kind, name in kinds.items():
        rows = np.flatnonzero((role == ROLES.index(name)) & (of_row >= 0))
        rows = rows[np.argsort(of_row[rows], kind="stable")]
        indices, starts = np.unique(of_row[rows], return_index=True)
        for index, cells in zip(indices.tolist(), np.split(rows, starts)[1:], strict=True):
            if index in found:
                twice += 1
                continue
            stratum = int(stratum_of[cells[0]])
            name_of_stratum = strata[stratum] if stratum >= 0 else None
            found[index] = Asked(dataset.conditions.table[index], kind, cells, name_of_stratum)
    if not any(asked.kind == "reported" for asked in found.values()):
        raise HarnessError(
            f"the split has nothing to report on {eval_split}",
            where=f"{split.dataset.name}:{split.name}",
            got=f"no perturbed row has role {eval_split}",
            mend="choose another evaluation split, or create a split with such rows",
        )
    notes = [f"{twice} conditions have cells in a second hidden role, which are left unused"] if twice else []
    return list(found.values()), notes


def _strata(split: Split) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The stratum of each row as its position in the names, −1 where it has none."""
    codes = np.full(split.n_obs, -1, np.int16)
    for code, runs in enumerate(split.strata.values()):
        for start, stop in runs:
            codes[start:stop] = code
    return codes, tuple(split.strata)
