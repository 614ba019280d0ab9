"""`Split`: row indices by role, frozen under the hash of their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.contract.models import Record
from harness.contract.task import NamedHash
from harness.digest import Digest
from harness.errors import ChangedError, HarnessError

Role = Literal["train", "val", "calib", "test", "iid"]
ROLES: tuple[Role, ...] = ("train", "val", "calib", "test", "iid")
Runs = list[tuple[int, int]]


class Split(Record):
    """Row indices by role over one dataset. Constructed by `freeze`, read by `read_split`."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    name: str
    dataset: NamedHash
    regime: str
    params: dict[str, Any]
    seed: int
    ood_axes: list[Literal["context", "perturbation", "combination", "dose", "time", "dataset"]]
    """What differs between training and the reported rows."""
    roles: dict[Role, Runs]
    """Sorted rows of each role as runs [start, stop). A row without a role is set aside."""
    strata: dict[str, Runs] = {}
    """Labelled subsets of hidden rows, e.g. `seen0`, `seen1`, `seen2`."""
    set_aside: dict[str, list[str]] = {}
    """What the regime left out, by reason."""
    counts: dict[Role, int]
    n_obs: int
    notes: list[str] = []
    frozen_hash: str
    """Hash of every other field; its own name in the store."""

    def rows(self, role: Role) -> NDArray[np.int64]:
        """The rows of a role, ascending."""
        return expand(self.roles[role])

    def role_codes(self) -> NDArray[np.int8]:
        """The role of each row as its position in ROLES, −1 where set aside. [rows]"""
        codes = np.full(self.n_obs, -1, np.int8)
        for code, role in enumerate(ROLES):
            for start, stop in self.roles[role]:
                codes[start:stop] = code
        return codes


def freeze(
    *,
    name: str,
    dataset: NamedHash,
    regime: str,
    params: Mapping[str, Any],
    seed: int,
    ood_axes: list[str],
    role_of: NDArray[np.int8],
    strata: Mapping[str, NDArray[np.int64]] | None = None,
    set_aside: Mapping[str, list[str]] | None = None,
    notes: list[str] | None = None,
) -> Split:
    """Make a split from the role of each row (position in ROLES, −1: set aside). Disjoint by construction."""
    roles = {role: compress(np.flatnonzero(role_of == code)) for code, role in enumerate(ROLES)}
    document: dict[str, Any] = {
        "schema": 1,
        "name": name,
        "dataset": dataset.model_dump(),
        "regime": regime,
        "params": dict(params),
        "seed": seed,
        "ood_axes": ood_axes,
        "roles": roles,
        "strata": {key: compress(np.sort(rows)) for key, rows in (strata or {}).items()},
        "set_aside": dict(set_aside or {}),
        "counts": {role: int((role_of == code).sum()) for code, role in enumerate(ROLES)},
        "n_obs": len(role_of),
        "notes": notes or [],
    }
    document["frozen_hash"] = split_hash(document)
    return read_split(document, where=name)


def read_split(document: Any, *, where: object) -> Split:
    """A split from its parsed file; its content must match its hash, its roles must be disjoint and in range."""
    split = Split.read(document, where=where)
    found = split_hash(document)
    if found != split.frozen_hash:
        raise ChangedError(
            "split file has changed since it was frozen",
            where=where,
            got=found,
            expected=split.frozen_hash,
            mend="restore it from version control; a changed split is a new split",
        )
    _check_runs(split, where)
    return split


def split_hash(document: Mapping[str, Any]) -> str:
    """Hash of a split document without its own hash."""
    content = {key: value for key, value in document.items() if key != "frozen_hash"}
    return Digest("split").json("split", content).hexdigest()


def compress(rows: NDArray[np.int64]) -> Runs:
    """Ascending rows as runs [start, stop)."""
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) != 1)
    starts = np.concatenate([rows[:1], rows[breaks + 1]])
    stops = np.concatenate([rows[breaks], rows[-1:]]) + 1
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def expand(runs: Runs) -> NDArray[np.int64]:
    """Runs [start, stop) as ascending rows."""
    if not runs:
        return np.zeros(0, np.int64)
    return np.concatenate([np.arange(start, stop, dtype=np.int64) for start, stop in runs])


def _check_runs(split: Split, where: object) -> None:
    taken = np.zeros(split.n_obs, np.int8)
    for role in ROLES:
        runs = split.roles.get(role)
        if runs is None:
            raise HarnessError("split lacks a role", where=where, expected=role)
        last = -1
        for start, stop in runs:
            if not (last < start < stop <= split.n_obs):
                raise HarnessError(
                    "split has runs out of order or out of range",
                    where=where,
                    got=f"{role}: [{start}, {stop})",
                )
            last = stop
            taken[start:stop] += 1
        if split.counts.get(role) != int(sum(stop - start for start, stop in runs)):
            raise HarnessError("split counts do not match its runs", where=where, got=role)
    twice = np.flatnonzero(taken > 1)
    if len(twice):
        raise HarnessError(
            "rows stand in two roles", where=where, got=f"{len(twice)} rows, first {twice[:5].tolist()}"
        )
