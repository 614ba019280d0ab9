"""Half the train mean, half the effects of training perturbations, by the weights of the graph between their genes."""

from __future__ import annotations

import numpy as np

from harness.sdk import Predictions, Task


def submission(task: Task) -> Predictions:
    """Predict."""
    train = task.conditions("train")
    rows = task.perturbed_rows
    of_row = train.of_row[rows]
    total = np.zeros((len(train.table), len(task.genes)))
    np.add.at(total, of_row, task.train_delta(rows))
    effects = total / np.bincount(of_row, minlength=len(train.table))[:, None]
    (graph,) = task.graphs.values()
    place = {gene: i for i, gene in enumerate(graph.genes)}
    near = graph.dense() + np.eye(len(place))

    def weight(a: tuple[str, ...], b: tuple[str, ...]) -> float:
        return sum(float(near[place[x], place[y]]) for x in a for y in b if x in place and y in place)

    mean = effects.mean(axis=0)
    told = []
    for asked in task.conditions().table:
        weights = np.array([weight(tuple(asked.genes), tuple(one.genes)) for one in train.table])
        told.append((weights @ effects + mean) / (weights.sum() + 1) if weights.any() else mean)
    return Predictions.from_conditions(task, np.stack(told))
