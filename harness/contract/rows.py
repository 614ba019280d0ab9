"""The rules on the members that hold one value per row: `idx` and `supported`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.faults import SHOWN, Fault, plural

_COPY_ROWS = "copy the column `row` of query/obs.tsv, in the order of your predictions"


def check_idx(idx: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[list[Fault], NDArray[np.int64]]:
    """Every expected row exactly once; also the position in the file of each expected row (−1: missing)."""
    by_value = np.argsort(rows, kind="stable")
    ordered = rows[by_value]
    place = np.searchsorted(ordered, idx)
    place[place == len(ordered)] = 0
    known = ordered[place] == idx if len(ordered) else np.zeros(len(idx), np.bool_)
    seen = np.bincount(place[known], minlength=len(rows))
    order = np.full(len(rows), -1, np.int64)
    order[by_value[place[known]]] = np.flatnonzero(known)

    foreign = np.flatnonzero(~known)
    repeated = np.flatnonzero(known & (seen[place] > 1))
    missing = ordered[seen == 0]
    faults = []
    if len(foreign):
        got = f"{plural(len(foreign), 'foreign row')}: {_some(idx[foreign])}"
        faults.append(
            Fault("idx", "names rows that are not asked for", got, _range(rows), _COPY_ROWS, _shown(foreign))
        )
    if len(repeated):
        got = f"{plural(len(np.unique(idx[repeated])), 'row')} more than once: {_some(np.unique(idx[repeated]))}"
        faults.append(Fault("idx", "repeats rows", got, "every row once", _COPY_ROWS, _shown(repeated)))
    if len(missing):
        got = f"{plural(len(missing), 'row')} without a prediction: {_some(missing)}"
        faults.append(Fault("idx", "leaves rows out", got, f"all of {plural(len(rows), 'row')}", _COPY_ROWS))
    return faults, order


def check_supported(supported: NDArray[Any]) -> list[Fault]:
    """Only the three grades."""
    bad = np.flatnonzero(~np.isin(supported, (0, 1, 2)))
    if not len(bad):
        return []
    got = f"{plural(len(bad), 'value')}: {_some(np.unique(supported[bad]))}"
    expected = "2 native, 1 by extension, 0 fallback"
    mend = "leave it out if every row is native"
    return [Fault("supported", "holds values that mean nothing", got, expected, mend, _shown(bad))]


def _shown(positions: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(row) for row in positions[:SHOWN])


def _some(values: NDArray[Any]) -> str:
    return ", ".join(str(value) for value in values[:SHOWN]) + (", …" if len(values) > SHOWN else "")


def _range(rows: NDArray[np.int64]) -> str:
    if len(rows) and rows.max() - rows.min() + 1 == len(rows):
        return f"the rows {rows.min()} to {rows.max()}"
    return f"the {plural(len(rows), 'row')} asked for, {_some(rows)}"
