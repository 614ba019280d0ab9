"""Large random effects on all genes: recall of differentially expressed genes is bought by calling them all."""

from __future__ import annotations

import numpy as np

from harness.sdk import Predictions, Task


def submission(task: Task) -> Predictions:
    """Predict."""
    rng = np.random.default_rng(0)
    n = len(task.conditions())
    return Predictions.from_conditions(task, 3.0 * rng.choice([-1.0, 1.0], (n, len(task.genes))))
