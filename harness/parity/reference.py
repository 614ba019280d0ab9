"""Our values of exported cases beside what a reference program printed for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, UnknownNameError
from harness.parity.case_values import values_of
from harness.parity.comparison import Comparison
from harness.parity.deviation import Deviation
from harness.storage import read_json

TOLERANCE = 1e-6
"""Relative to 1 + |value|, where the file states none."""
DEFAULT = "default"


@dataclass(frozen=True)
class Reference:
    """What a reference program printed."""

    program: str
    tolerance: Mapping[str, float]
    """By metric; `default` for all others."""
    cases: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    """Case → condition → metric → value; null where the program gave none."""

    def tolerance_of(self, metric: str) -> float:
        return self.tolerance.get(metric, self.tolerance.get(DEFAULT, TOLERANCE))


def read_reference(path: Path) -> Reference:
    """Read `REFERENCE.json`; a document of another form is refused."""
    document = read_json(path, "reference values")
    try:
        cases = {
            case: {
                condition: {metric: _expected(value) for metric, value in row.items()}
                for condition, row in rows.items()
            }
            for case, rows in document["cases"].items()
        }
        tolerance = {name: float(value) for name, value in document.get("tolerance", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HarnessError(
            "these are no reference values",
            where=path,
            got=f"{type(error).__name__}: {error}",
            expected='{"program": …, "cases": {CASE: {CONTEXT/PERTURBATION: {METRIC: number or null}}}}',
        ) from None
    if not any(row for rows in cases.values() for row in rows.values()):
        raise HarnessError(
            "the reference has no value", where=path, mend="let the reference program print some"
        )
    return Reference(str(document.get("program", path.stem)), tolerance, cases)


def compare_with(folder: Path, reference: Reference) -> list[Deviation]:
    """Compute every case that the reference speaks of, and compare each of its values."""
    found: list[Deviation] = []
    for case, rows in reference.cases.items():
        ours = values_of(folder / f"{case}.json")
        comparisons: dict[str, Comparison] = {}
        for condition, row in rows.items():
            if condition not in ours:
                raise UnknownNameError("condition", condition, ours, where=folder / case)
            for metric, expected in row.items():
                if metric not in ours[condition]:
                    raise UnknownNameError("metric", metric, ours[condition], where=f"{case}, {condition}")
                limit = reference.tolerance_of(metric)
                compared = comparisons.setdefault(metric, Comparison(case, metric, limit, 1.0))
                compared.add(ours[condition][metric], math.nan if expected is None else expected)
        found += [comparison.result() for comparison in comparisons.values()]
    return found


def _expected(value: float | str | None) -> float | None:
    return None if value is None else float(value)
