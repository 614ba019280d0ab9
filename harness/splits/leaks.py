"""Leak rules: what a regime promises about its roles, checked on the rows themselves.

Each rule takes a dataset and the role of each row, and refuses the first offence by name and row. `train` and `val` may
be labelled, `calib` is hidden from everyone, `test` is reported; cells of role `iid` share their conditions with
`train` by design and count as training here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.datasets.dataset import PerturbDataset
from harness.datasets.obs import Pool
from harness.errors import HarnessError
from harness.splits.assignment import CALIB, IID, TEST, TRAIN, VAL, rows_by_pert
from harness.splits.constituents import constituent_rows
from harness.splits.ordered import ordered_values
from harness.splits.split import ROLES

SHOWN = 3


@dataclass(frozen=True)
class Case:
    """What a rule looks at."""

    dataset: PerturbDataset
    role_of: NDArray[np.int8]  # [rows]
    params: Mapping[str, Any]
    """The resolved parameters of the regime."""

    def where(self, role: int, counts_as: int) -> Case:
        """The same case with one role taken for another."""
        role_of = np.where(self.role_of == role, counts_as, self.role_of).astype(np.int8)
        return replace(self, role_of=role_of)


class Rule(Protocol):
    """One promise of a regime: passes in silence, or refuses."""

    def __call__(self, case: Case, /) -> None: ...


class Keyed(NamedTuple):
    """What stands on each row: a key per entry, a row may have several."""

    kind: str
    rows: NDArray[np.int64]
    keys: NDArray[Any]
    names: Sequence[object]


def conditions_apart(case: Case) -> None:
    """No condition has cells in two of train, val, calib and test."""
    rows = np.flatnonzero(~case.dataset.obs.is_control)
    keyed = Keyed("condition", rows, case.dataset.conditions.of_row[rows], case.dataset.conditions.table)
    refuse_shared("conditions_apart", case, keyed)


def contexts_apart(case: Case) -> None:
    """No held-out context has perturbed cells in training; val and calib may share one."""
    rows = np.flatnonzero(~case.dataset.obs.is_control)
    keyed = Keyed("context", rows, case.dataset.obs.context.codes[rows], case.dataset.obs.context.levels)
    refuse_shared("contexts_apart", case.where(CALIB, VAL), keyed)


def perturbations_apart(case: Case) -> None:
    """No held-out perturbation is part of a perturbation of another role, in any context, alone or combined."""
    refuse_shared("perturbations_apart", case, Keyed("perturbation", *constituent_rows(case.dataset)))


def labels_apart(case: Case) -> None:
    """No perturbation label (a combination as a whole) has cells in two roles, whatever the context."""
    rows = np.flatnonzero(~case.dataset.obs.is_control)
    keyed = Keyed("perturbation", rows, case.dataset.obs.pert.codes[rows], case.dataset.obs.pert.levels)
    refuse_shared("labels_apart", case, keyed)


def pairs_apart(case: Case) -> None:
    """No pair of context and perturbation has cells in two roles, whatever the dose or time."""
    obs = case.dataset.obs
    rows = np.flatnonzero(~obs.is_control)
    n_perts = len(obs.pert.levels)
    pairs, keys = np.unique(
        obs.context.codes[rows].astype(np.int64) * n_perts + obs.pert.codes[rows], return_inverse=True
    )
    names = [f"{obs.context.levels[pair // n_perts]} · {obs.pert.levels[pair % n_perts]}" for pair in pairs]
    refuse_shared("pairs_apart", case, Keyed("pair", rows, keys, names))


def datasets_apart(case: Case) -> None:
    """The held-out dataset of a merged artifact has perturbed cells in no other role than test."""
    origin = case.dataset.obs.covariate_text(case.params["covariate"])
    rows = np.flatnonzero(~case.dataset.obs.is_control)
    refuse_shared(
        "datasets_apart",
        case.where(VAL, TRAIN).where(CALIB, TRAIN),
        Keyed("dataset", rows, origin.codes[rows], origin.levels),
    )


def withheld_unseen(case: Case) -> None:
    """Withheld constituents have no training cells, alone or combined."""
    rows, keys, names = constituent_rows(case.dataset)
    withheld = np.isin(np.array(names, object), case.params["withheld"])
    found = np.flatnonzero(withheld[keys] & np.isin(case.role_of[rows], (TRAIN, IID)))
    if len(found):
        raise HarnessError(
            f"split leaks: withheld constituent {names[keys[found[0]]]!r} has training cells",
            where=f"dataset {case.dataset.name}, rule withheld_unseen",
            got=_rows(np.unique(rows[found])),
            expected="constituents that training has not seen",
            mend="set these rows aside",
        )


def values_beyond(case: Case) -> None:
    """No training cell has the held-out value of its perturbation, nor in extrapolation one beyond it."""
    values = ordered_values(case.dataset, case.params["covariate"])
    rows_of = rows_by_pert(case.dataset)
    for name, limit in case.params["held_out"].items():
        here = rows_of[name][np.isin(case.role_of[rows_of[name]], (TRAIN, IID))]
        beyond = values[here] >= limit if case.params["kind"] == "extrapolation" else values[here] == limit
        rows = here[beyond]
        if len(rows):
            raise HarnessError(
                f"split leaks: perturbation {name!r} has training cells at or beyond its held-out value",
                where=f"dataset {case.dataset.name}, rule values_beyond",
                got=f"{_rows(rows)}, {case.params['covariate']} {values[rows[0]]:g}",
                expected=f"{'below' if case.params['kind'] == 'extrapolation' else 'other than'} {limit:g}",
                mend="set these rows aside",
            )


def perturbations_seen(case: Case) -> None:
    """Every held-out perturbation has training cells in some other context or at some other value."""
    codes, perturbed = case.dataset.obs.pert.codes, ~case.dataset.obs.is_control
    seen = np.zeros(len(case.dataset.obs.pert.levels), np.bool_)
    seen[codes[perturbed & (case.role_of == TRAIN)]] = True
    rows = np.flatnonzero(perturbed & np.isin(case.role_of, (VAL, CALIB, TEST)) & ~seen[codes])
    if len(rows):
        raise HarnessError(
            f"perturbation {case.dataset.obs.pert.levels[codes[rows[0]]]!r} is held out, but training has not seen it",
            where=f"dataset {case.dataset.name}, rule perturbations_seen",
            got=f"{_rows(rows)} ({ROLES[case.role_of[rows[0]]]})",
            expected="each held-out perturbation has training cells elsewhere",
            mend="set these rows aside",
        )


def iid_seen(case: Case) -> None:
    """Every condition of role iid has training cells, and no control has this role."""
    of_row = case.dataset.conditions.of_row
    seen = np.zeros(len(case.dataset.conditions.table) + 1, np.bool_)
    seen[of_row[(case.role_of == TRAIN) & (of_row >= 0)]] = True
    rows = np.flatnonzero((case.role_of == IID) & ~seen[of_row])
    if len(rows):
        raise HarnessError(
            "cells of role iid have no training cells beside them",
            where=f"dataset {case.dataset.name}, rule iid_seen",
            got=_rows(rows),
            expected="hidden cells of conditions that training has seen",
        )


def controls_given(case: Case) -> None:
    """Every context with hidden cells has pool-A controls with a role, where the dataset has any there."""
    obs = case.dataset.obs
    n = len(obs.context.levels)
    has_any = np.bincount(obs.context.codes[obs.is_control], minlength=n) > 0
    given = np.bincount(obs.context.codes[obs.in_pool(Pool.A) & (case.role_of >= 0)], minlength=n) > 0
    hidden = ~obs.is_control & np.isin(case.role_of, (VAL, CALIB, TEST, IID))
    rows = np.flatnonzero(hidden & (has_any & ~given)[obs.context.codes])
    if len(rows):
        raise HarnessError(
            f"context {obs.context.levels[obs.context.codes[rows[0]]]!r} has hidden cells, but its controls are set aside",
            where=f"dataset {case.dataset.name}, rule controls_given",
            got=_rows(rows),
            expected="pool-A controls of that context with a role: they are what a model is given",
        )


EVERY_REGIME: tuple[Rule, ...] = (iid_seen, controls_given)


def check_leaks(case: Case, rules: Sequence[Rule]) -> None:
    """Check a regime's own rules, then those that hold everywhere."""
    for rule in (*rules, *EVERY_REGIME):
        rule(case)


def refuse_shared(rule: str, case: Case, keyed: Keyed) -> None:
    """Refuse a key that stands in two roles, naming it and its first rows on either side."""
    role = case.where(IID, TRAIN).role_of[keyed.rows]
    used = (role >= 0) & (np.asarray(keyed.keys) >= 0)
    present = np.zeros((len(keyed.names), len(ROLES)), np.bool_)
    present[keyed.keys[used], role[used]] = True
    shared = np.flatnonzero(present.sum(axis=1) > 1)
    if not len(shared):
        return
    key = shared[0]
    first, second = np.flatnonzero(present[key])[:2]
    sides = [keyed.rows[used & (keyed.keys == key) & (role == side)] for side in (first, second)]
    more = f"; {len(shared)} {keyed.kind}s in all" if len(shared) > 1 else ""
    raise HarnessError(
        f"split leaks: {keyed.kind} {str(keyed.names[key])!r} stands in {ROLES[first]} and {ROLES[second]}",
        where=f"dataset {case.dataset.name}, rule {rule}",
        got=f"{_rows(sides[0])} ({ROLES[first]}), {_rows(sides[1])} ({ROLES[second]}){more}",
        expected=f"each {keyed.kind} in one role",
        mend="hold it out wholly, or set its other rows aside",
    )


def _rows(rows: NDArray[np.int64]) -> str:
    shown = ", ".join(str(row) for row in rows[:SHOWN])
    return f"row{'' if len(rows) == 1 else 's'} {shown}" + (
        f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    )
