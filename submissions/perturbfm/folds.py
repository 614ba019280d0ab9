"""Effects as fold changes: what a perturbation does to a gene is seen as far as the gene's control expression lets it be.

For a gene of mean x on a log(1 + count) scale a fold change r is a change of about r (1 − exp(−x)): nothing where the gene
is silent, r where it is high. Means over contexts are therefore taken of r, and carried back with the context's own x:
δ = s(x) (g + a_p), with g what all perturbations share and a_p shrunk, by how much of it repeats, towards what the
perturbed genes and the graphs lead to expect (`reach`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.sdk import Condition
from perturbfm.baseline import EXTENDED, FALLBACK, NATIVE, Answer, Params, Rule
from perturbfm.conditions import Floats, Training
from perturbfm.reach import read_out

LEAST = 0.02
"""Sensitivity that a silent gene is believed to have at least, so that nothing is divided by zero."""
TAIL = 8.0
"""Over the excess kurtosis of effects, this is how many of them a gene's usual variance counts for beside one at hand."""
FEWEST, MOST = 2.0, 1000.0
POOLED = 0.5
"""How far a gene's own variances give way to those of all genes."""


def sensitivity(state: Floats) -> Floats:
    """Change of log(1 + count) for a small fold change at this expression; 1 where values are no such logarithms."""
    if (state < 0).any():
        return np.ones_like(state)
    return np.maximum(1 - np.exp(-state), LEAST)


def fold_mean(training: Training, params: Params) -> Rule:  # noqa: ARG001
    """Shared effects and shrunk a_p as above; an unseen combination gets φ times the sum of the a_p of its parts."""
    return _rule(training, bandwidth=np.inf)


def near_fold_mean(training: Training, params: Params) -> Rule:  # noqa: ARG001
    """The same, where contexts with controls alike to those of the asked-for one count for more."""
    return _rule(training, bandwidth=1.0)


def graphs_read(training: Training) -> dict[str, Any]:
    """For the diagnostics: the common effect on perturbed genes, and how much each graph that is read says."""
    if not training.table:
        return {}
    sense = {context: sensitivity(state) for context, state in training.states.items()}
    average = np.mean(list(sense.values()), axis=0)
    scale = np.array([sense.get(c.context, average) for c in training.table])
    rest = training.delta - scale * _slope(training.delta, scale, np.ones(len(scale)), np.zeros(1))
    readout = read_out(training, rest, scale)
    if readout is None:
        return {}
    sizes = {name: float(np.sqrt(np.mean(theta**2))) for name, theta in readout.theta.items()}
    return {"effect_on_target": readout.kappa, "graphs": sizes}


def _rule(training: Training, bandwidth: float) -> Rule:
    if not training.table:
        return lambda asked: (np.zeros((len(asked), len(training.genes))), np.zeros(len(asked), np.uint8))
    sense = {context: sensitivity(state) for context, state in training.states.items()}
    average = np.mean(list(sense.values()), axis=0)
    scale = np.array([sense.get(c.context, average) for c in training.table])
    closeness = Closeness(training, bandwidth)
    groups = defaultdict(list)
    for i, condition in enumerate(training.table):
        groups[condition.pert].append(i)
    shared = _slope(training.delta, scale, np.ones(len(scale)), np.zeros(1))
    rest = training.delta - scale * shared
    readout = read_out(training, rest, scale)
    if readout is not None:
        rest = rest - scale * readout.of(training.table)
    believed = believed_of(rest, scale, list(groups.values()), training)

    def answer(context: str) -> dict[str, Floats]:
        weight = closeness.to(context)
        return {
            pert: _special(rest[rows], scale[rows], _even(weight[rows]), believed)
            for pert, rows in groups.items()
        }

    tables: dict[str, dict[str, Floats]] = {}

    def own(condition: Condition) -> dict[str, Floats]:
        key = condition.context if np.isfinite(bandwidth) else ""
        if key not in tables:
            tables[key] = answer(condition.context)
        return tables[key]

    parts_of = {c.genes: c.pert for c in training.table if len(c.genes) == 1}

    def parts(condition: Condition) -> list[Floats]:
        table = own(condition)
        return [table[parts_of[(gene,)]] for gene in condition.genes if (gene,) in parts_of]

    def expected(table: Sequence[Condition]) -> Floats:
        return np.zeros((len(table), 1)) if readout is None else readout.of(table)

    factor = _factor(training, rest, scale, parts, expected(training.table))

    def rule(asked: Sequence[Condition]) -> Answer:
        means, support = [], []
        for condition, prior in zip(asked, expected(asked), strict=True):
            sensed = sense.get(condition.context, average)
            known = own(condition).get(condition.pert)
            found = parts(condition) if known is None else []
            if known is not None:
                special = prior + known
            elif found:
                special = factor * (prior + np.sum(found, axis=0))
            else:
                special = prior
            means.append(sensed * (shared + special))
            support.append(NATIVE if known is not None else EXTENDED if found else FALLBACK)
        return np.array(means).reshape(len(asked), -1), np.array(support, np.uint8)

    return rule


class Closeness:
    """How much a training condition counts for a context: exp(−d²/h), d² between control states, h typical of them."""

    def __init__(self, training: Training, bandwidth: float) -> None:
        self.training, self.bandwidth = training, bandwidth
        states = np.array(list(training.states.values()))
        square = (states**2).sum(axis=1)
        away = square[:, None] + square[None] - 2 * states @ states.T
        typical = away[np.triu_indices(len(states), 1)]
        self.typical = float(np.median(typical)) if len(typical) and typical.any() else 1.0

    def to(self, context: str) -> Floats:
        """[conditions]"""
        if not np.isfinite(self.bandwidth):
            return np.ones(len(self.training.table))
        here = self.training.state(context)
        away = {
            name: float(((self.training.state(name) - here) ** 2).sum())
            for name in {c.context for c in self.training.table}
        }
        found = np.array([away[c.context] for c in self.training.table])
        return np.exp(-(found - found.min()) / (self.bandwidth * self.typical))


class Believed(NamedTuple):
    """What is known of a_p before a perturbation is looked at."""

    noise: Floats
    """Variance of a condition about its a_p. [genes]"""
    signal: Floats
    """Variance of a_p over perturbations. [genes]"""
    tail: float
    """How many effects this variance counts for beside the one at hand: few where large effects are rare but real."""


def believed_of(rest: Floats, scale: Floats, groups: Sequence[Sequence[int]], training: Training) -> Believed:
    """What a_p are like, gene by gene."""
    fits, power, within, freedom = [], [], np.zeros(rest.shape[1]), 0
    for rows in groups:
        slope = _slope(rest[rows], scale[rows], np.ones(len(rows)), np.zeros(1))
        fits.append(slope)
        power.append(1 / (scale[rows] ** 2).sum(axis=0))
        if len(rows) > 1:
            within += ((rest[rows] - scale[rows] * slope) ** 2).sum(axis=0)
            freedom += len(rows) - 1
    sampling = training.spread * (1 / training.n_rows).mean()
    noise = within / freedom if freedom else sampling
    noise = _pool(np.maximum(noise, 1e-12), training.spread)
    squared = np.array(fits) ** 2
    signal = np.maximum((squared - noise * np.array(power)).mean(axis=0), 0.0)
    typical = float(np.median(scale**2))
    signal = np.maximum(POOLED * signal.mean() + (1 - POOLED) * signal, 1e-3 * noise / typical + 1e-12)
    z = np.array(fits) / np.sqrt(signal + noise * np.array(power))
    excess = (z**4).mean() / max(float((z**2).mean()) ** 2, 1e-12) - 3
    return Believed(noise, np.asarray(signal), float(np.clip(TAIL / max(excess, 1e-6), FEWEST, MOST)))


def _pool(values: Floats, shape: Floats) -> Floats:
    """Half a gene's own, half what its spread says. [genes]"""
    like = shape * values.mean() / max(float(shape.mean()), 1e-12) if shape.any() else values.mean()
    return np.asarray(POOLED * like + (1 - POOLED) * values)


def _even(weight: Floats) -> Floats:
    """Weights whose sum is their effective number, so that the ridge knows how many speak."""
    return weight * weight.sum() / (weight**2).sum()


def _special(values: Floats, scale: Floats, weight: Floats, believed: Believed) -> Floats:
    """a_p of a perturbation, shrunk less where it is so large that the gene's usual variance does not explain it. [genes]"""
    noise, signal, tail = believed
    bare = _slope(values, scale, weight, np.zeros(1))
    unsure = noise / ((weight[:, None] * scale**2).sum(axis=0) + 1e-12)
    own = np.maximum(bare**2 - unsure, 0.0)
    return _slope(values, scale, weight, noise * (1 + tail) / (own + tail * signal))


def _slope(values: Floats, scale: Floats, weight: Floats, ridge: Floats) -> Floats:
    """Weighted least squares of values on scale through zero, gene by gene. [genes]"""
    weighted = weight[:, None] * scale
    return np.asarray((weighted * values).sum(axis=0) / ((weighted * scale).sum(axis=0) + ridge + 1e-12))


def _factor(
    training: Training,
    rest: Floats,
    scale: Floats,
    parts: Callable[[Condition], list[Floats]],
    prior: Floats,
) -> float:
    """φ, least squares over training combinations; 1 without any."""
    product = power = 0.0
    for i, condition in enumerate(training.table):
        if len(condition.genes) < 2:
            continue
        found = parts(condition)
        if len(found) == len(condition.genes):
            total = scale[i] * (prior[i] + np.sum(found, axis=0))
            product += float(total @ (rest[i] + scale[i] * prior[i]))
            power += float(total @ total)
    return float(np.clip(product / power, 0, 1.5)) if power > 0 else 1.0
