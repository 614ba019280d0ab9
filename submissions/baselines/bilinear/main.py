"""Y = G W Pᵀ + b: gene embedding G from a PCA of training pseudobulk, P its rows of the perturbed genes, W by ridge.

The simple linear model of Ahlmann-Eltze, Huber and Anders (2025), on deltas.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from perturbfm.baseline import EXTENDED, FALLBACK, NATIVE, Answer, Baseline, Params, Rule, gene_embedding
from perturbfm.conditions import Floats, Training

from harness.sdk import Condition


def fit(training: Training, params: Params) -> Rule:
    """Two ridge solves, one on each side; a perturbation without an embedded gene gets the train mean b."""
    embedding = gene_embedding(training, params["components"])
    G = np.array([embedding[gene] for gene in training.genes])
    seen = {gene for condition in training.table for gene in condition.genes}

    def places(conditions: Sequence[Condition]) -> Floats:
        sums = [
            sum((embedding[g] for g in c.genes if g in embedding), np.zeros(G.shape[1])) for c in conditions
        ]
        return np.array(sums).reshape(len(conditions), G.shape[1])

    def ridge_inverse(X: Floats) -> Floats:
        return np.asarray(np.linalg.inv(X.T @ X + params["ridge"] * np.eye(X.shape[1])))

    P, b = places(training.table), training.mean()
    W = ridge_inverse(G) @ G.T @ (training.delta - b).T @ P @ ridge_inverse(P)

    def support(condition: Condition) -> int:
        known = [gene for gene in condition.genes if gene in embedding]
        if not known:
            return FALLBACK
        return NATIVE if len(known) == len(condition.genes) and seen.issuperset(known) else EXTENDED

    def rule(asked: Sequence[Condition]) -> Answer:
        return places(asked) @ W.T @ G.T + b, np.array([support(c) for c in asked], np.uint8)

    return rule


submission = Baseline(fit)
