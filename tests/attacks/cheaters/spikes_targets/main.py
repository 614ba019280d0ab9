"""A spike on the targets: retrieval that looks at target genes finds every perturbation."""

from __future__ import annotations

from harness.sdk import Predictions, Task


def submission(task: Task) -> Predictions:
    """Predict."""
    mask = task.mask([c.genes for c in task.conditions().table])
    return Predictions.from_conditions(task, -8.0 * mask)
