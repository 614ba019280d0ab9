"""A starter: the mean delta of each perturbation over the training contexts; put your model in its place."""

from __future__ import annotations

import numpy as np

from harness.sdk import Predictions, Task


def predict(task: Task) -> Predictions:
    """Predict each asked-for condition; its query rows all get the same answer."""
    known = task.conditions("train")
    task.progress(0, 2, "mean delta of the training conditions")
    delta = np.stack([task.train_delta(known.rows(i)).mean(axis=0) for i in range(len(known))])
    overall, spread = delta.mean(axis=0), delta.var(axis=0)

    task.progress(1, 2, "prediction")
    asked = task.conditions().table
    mean = np.tile(overall, (len(asked), 1))
    supported = np.zeros(len(asked), np.uint8)  # 0: the train mean stands in
    for i, condition in enumerate(asked):
        same = [j for j, other in enumerate(known.table) if other.pert == condition.pert]
        if same:
            shift = delta[same].mean(axis=0) - overall
            mean[i], supported[i] = overall + task.params.get("shrinkage", 1.0) * shift, 2
    var = np.tile(spread + 1e-6, (len(asked), 1))
    task.progress(2, 2, "done")
    return Predictions.from_conditions(task, mean, var=var, supported=supported)
