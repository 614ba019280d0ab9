"""Both sides of a comparison speak of the same perturbations, or the comparison is refused by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.errors import HarnessError

NAMED = 10


def require_same_labels(observed: Collection[str], predicted: Collection[str], *, where: object) -> None:
    """Refuse predictions that lack a label or have one more; the difference is told by name and number."""
    missing, foreign = sorted(set(observed) - set(predicted)), sorted(set(predicted) - set(observed))
    faults = [
        f"{len(labels)} {word}: {listed(labels)}"
        for word, labels in (("missing", missing), ("unknown", foreign))
        if labels
    ]
    if faults:
        raise HarnessError(
            "the predictions speak of other perturbations than the truth",
            where=where,
            got="; ".join(faults),
            expected=f"exactly the {len(set(observed))} labels of the truth",
            mend="predict the missing labels and leave out or rename the unknown ones",
        )


def listed(labels: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    rest = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
