"""The biology behind a screen: basal programs, a gene graph, and how perturbations move a context along it.

In natural-log units, for context c and perturbed genes S:

    log mean(c, S) = basal_c + shift_c + response(c, h_S) − knockdown · 1_S

`h_S` is what reaches each gene over one and two steps of the graph. The response has two parts: gene by gene
(`sign_g · gate_cg · h_g`, where the gate grows with the gene's basal expression in that context) and through a low-rank
operator (`Σ_r α_r(c) ⟨V_r, h⟩ U_r`, where α depends on the activity of the context's programs). Both are functions of
what control cells show, so a model can carry them to a context that it has never seen perturbed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from harness.datasets.graphs import GeneGraph
from harness.datasets.synth.design import SIGNATURES, Design, Group
from harness.datasets.synth.spec import SynthSpec
from harness.digest import seed_from

WITHIN_MODULE = 0.8
SECOND_STEP = 0.6
LARGEST_CHANGE = 2.5
LEAK_GAIN = 2.0


@dataclass(frozen=True)
class World:
    """What nature knows of a screen and no submission is told."""

    spec: SynthSpec
    graph: GeneGraph
    basal: NDArray[np.float64]  # [contexts, genes], log expression
    shift: NDArray[np.float64]  # [contexts, genes]
    batch: NDArray[np.float64]  # [batches, genes]
    gate: NDArray[np.float64]  # [contexts, genes]
    sign: NDArray[np.float64]  # [genes]
    gain: NDArray[np.float64]  # [contexts, programs]
    readout: NDArray[np.float64]  # V [genes, programs]
    programs: NDArray[np.float64]  # U [programs, genes]
    leak: NDArray[np.float64]  # [genes], the direction of a planted leak

    def log_mean(self, group: Group) -> NDArray[np.float64]:
        """Log of the expected expression of a group's cells, up to a constant, before batch effects. [genes]"""
        basal: NDArray[np.float64] = self.basal[group.context]
        return basal + self.shift[group.context] + self.response(group) if group.targets else basal

    def response(self, group: Group) -> NDArray[np.float64]:
        """What the perturbation itself does, without the shift that all perturbations share. [genes]"""
        spec, context = self.spec, group.context
        reach = self.reach(group.targets)
        direct = self.sign * self.gate[context] * reach
        through = (self.gain[context] * (reach @ self.readout)) @ self.programs
        size = spec.strength * self._potency(group.targets)
        change = size * (np.sqrt(1 - spec.program_share) * direct + np.sqrt(spec.program_share) * through)
        change = LARGEST_CHANGE * np.tanh(change / LARGEST_CHANGE)
        change[list(group.targets)] -= spec.knockdown
        told = 2 * (group.signature - 1) / (SIGNATURES - 1) - 1 if group.signature else 0.0
        return np.asarray(change * hill(group.dose) + LEAK_GAIN * spec.strength * told * self.leak)

    def reach(self, targets: tuple[int, ...]) -> NDArray[np.float64]:
        """How strongly a perturbation reaches each gene over the graph; root mean square 1 for one gene. [genes]"""
        alone = [self._reach_of_one(gene) for gene in targets]
        if len(alone) == 1:
            return alone[0]
        interaction = self.spec.interaction
        saturated = sum(alone) * (1 - interaction * (1 - 1 / len(alone)))
        return np.asarray(saturated + interaction * np.prod(np.sqrt(alone), axis=0))

    def _reach_of_one(self, gene: int) -> NDArray[np.float64]:
        matrix = self.graph.matrix().astype(np.float64)
        first = matrix[[gene]].toarray()[0]
        reached = first + SECOND_STEP * np.asarray(first @ matrix).ravel()
        reached[gene] = 0
        return np.asarray(reached / np.sqrt(np.mean(reached**2)))

    def _potency(self, targets: tuple[int, ...]) -> float:
        drawn = [_rng(self.spec, "potency", gene).normal(0, 0.3) for gene in targets]
        return float(np.exp(np.mean(drawn)))


def make_world(spec: SynthSpec, plan: Design) -> World:
    """Draw the biology of a screen."""
    n, contexts, programs = spec.n_genes, spec.n_contexts, spec.n_programs
    state = _rng(spec, "state").normal(size=(contexts, programs))
    loadings = _rng(spec, "loadings").normal(size=(programs, n)) / np.sqrt(programs)
    own = _rng(spec, "context").normal(size=(contexts, n))
    deviation = (np.sqrt(0.7) * state @ loadings + np.sqrt(0.3) * own) * spec.context_spread
    base = _rng(spec, "basal").normal(0, spec.basal_spread, n)
    common = _rng(spec, "shift").normal(size=n)
    each = _rng(spec, "shift of contexts").normal(size=(contexts, n))
    readout = _rng(spec, "readout").normal(size=(n, programs)) / np.sqrt(n)
    outward = _rng(spec, "programs").normal(size=(programs, n)) / np.sqrt(programs)
    return World(
        spec=spec,
        graph=random_graph(spec, plan.genes),
        basal=base + deviation,
        shift=spec.shift * (np.sqrt(0.8) * common + np.sqrt(0.2) * each),
        batch=_rng(spec, "batches").normal(0, spec.batch_spread, (spec.n_batches, n)),
        gate=2 / (1 + np.exp(-2 * spec.context_gain * deviation / max(spec.context_spread, 1e-9))),
        sign=_rng(spec, "sign").choice([-1.0, 1.0], n),
        gain=1 + spec.context_gain * state,
        readout=readout,
        programs=outward,
        leak=_rng(spec, "leak").normal(size=n),
    )


def random_graph(spec: SynthSpec, genes: tuple[str, ...]) -> GeneGraph:
    """A sparse directed graph of connected modules: each gene has the same number of edges, all of one weight."""
    rng = _rng(spec, "graph")
    module = rng.integers(spec.n_modules, size=spec.n_genes)
    order = np.lexsort((rng.random(spec.n_genes), module))
    rows: list[int] = []
    columns: list[int] = []
    for place, gene in enumerate(order.tolist()):
        # The next gene of the module's ring keeps the graph connected.
        targets = {int(order[(place + 1) % spec.n_genes])}
        own = np.flatnonzero(module == module[gene])
        while len(targets) < min(spec.out_degree, spec.n_genes - 1):
            near = rng.random() < WITHIN_MODULE and len(own) > spec.out_degree
            drawn = int(rng.choice(own)) if near else int(rng.integers(spec.n_genes))
            targets |= {drawn} - {gene}
        rows += [gene] * len(targets)
        columns += sorted(targets)
    weights: Any = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(spec.n_genes, spec.n_genes))
    return GeneGraph.of(weights, genes, "external")


def hill(dose: float | None) -> float:
    """Response to a dose, 1 at dose 1 and 2 in the limit: 2·d/(1 + d). No dose: 1."""
    return 1.0 if dose is None else 2 * dose / (1 + dose)


def _rng(spec: SynthSpec, *axes: object) -> np.random.Generator:
    return np.random.default_rng(seed_from("synthetic", spec.seed, "world", *axes))
