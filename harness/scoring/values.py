"""Values on their way between stages: averaged over references, written as plain JSON, read back to the last bit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import HarnessError
from harness.metrics.card import Undefined, Value
from harness.metrics.scores import defined


def mean_of_references(values: Sequence[Mapping[str, Value]]) -> dict[str, Value]:
    """Scores against each reference, averaged; undefined where one of them is."""
    if len(values) == 1:
        return dict(values[0])
    return {name: _mean([one[name] for one in values]) for name in values[0]}


def to_plain(value: Value) -> float | str:
    """A number, or the reason why there is none; what is not finite does not exist."""
    if isinstance(value, Undefined):
        return value.reason
    found = defined(float(value))
    return found.reason if isinstance(found, Undefined) else found


def from_plain(value: Any, *, where: object) -> Value:
    """A value as it was written."""
    if isinstance(value, str):
        return Undefined(value)
    if isinstance(value, (int, float)):
        return float(value)
    raise HarnessError("a value is neither a number nor a reason", where=where, got=repr(value))


def _mean(values: Sequence[Value]) -> Value:
    reason = next((value for value in values if isinstance(value, Undefined)), None)
    if reason is not None:
        return reason
    return math.fsum(value for value in values if not isinstance(value, Undefined)) / len(values)
