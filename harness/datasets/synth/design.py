"""The design of a screen: which conditions were measured, on how many cells, in which batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from harness.datasets.builder import Rows
from harness.datasets.obs import Covariate, Labels
from harness.datasets.synth.spec import CONTROL, MIN_CELLS, SynthSpec
from harness.digest import seed_from

DOSE = "dose"
SIGNATURE = "assay_signature"
SIGNATURES = 8


@dataclass(frozen=True)
class Group:
    """Cells that were treated alike."""

    context: int
    pert: str
    """`control`, or the names of the perturbed genes joined by `+`."""
    targets: tuple[int, ...]
    dose: float | None
    signature: int
    """What a planted leak tells of this condition; 0 for controls."""
    n_cells: int

    @property
    def axes(self) -> tuple[object, ...]:
        """What the seeds of this group derive from."""
        return (self.context, self.pert, self.dose)


@dataclass(frozen=True)
class Design:
    """A screen before any cell is measured; groups stand in artifact order."""

    contexts: tuple[str, ...]
    genes: tuple[str, ...]
    perturbations: dict[str, tuple[int, ...]]
    groups: tuple[Group, ...]

    @property
    def n_rows(self) -> int:
        return sum(group.n_cells for group in self.groups)


def design(spec: SynthSpec) -> Design:
    """Lay out a screen."""
    contexts = numbered("C", spec.n_contexts, start=0)
    genes = numbered("GENE", spec.n_genes, start=1)
    perturbations = _perturbations(spec, genes)
    measured = _measured(spec, len(perturbations))
    groups = [Group(context, CONTROL, (), None, 0, spec.controls) for context in range(len(contexts))]
    for position, (pert, targets) in enumerate(perturbations.items()):
        for context in np.flatnonzero(measured[:, position]).tolist():
            for dose in spec.doses or (None,):
                groups.append(_condition(spec, context, pert, targets, dose))
    groups.sort(key=lambda group: (contexts[group.context], group.pert))
    return Design(contexts, genes, perturbations, tuple(groups))


def design_rows(spec: SynthSpec, plan: Design) -> Rows:
    """The table of rows of a screen, in artifact order."""
    sizes = np.array([group.n_cells for group in plan.groups])
    perts = sorted({group.pert for group in plan.groups})
    batches = numbered("b", spec.n_batches, start=1)
    covariates: dict[str, Covariate] = {}
    if spec.doses:
        covariates[DOSE] = np.repeat([group.dose or 0.0 for group in plan.groups], sizes)
    if spec.planted_leak:
        covariates[SIGNATURE] = np.repeat([float(group.signature) for group in plan.groups], sizes)
    return Rows(
        pert=_labels([perts.index(group.pert) for group in plan.groups], sizes, perts),
        context=_labels([group.context for group in plan.groups], sizes, plan.contexts),
        batch=_used(np.concatenate([batch_of_cells(spec, group) for group in plan.groups]), batches),
        is_control=np.repeat([group.pert == CONTROL for group in plan.groups], sizes),
        cell_ids=pa.array([f"cell{row:07d}" for row in range(plan.n_rows)]),
        covariates=covariates,
        intervention=tuple(covariates),
    )


def batch_of_cells(spec: SynthSpec, group: Group) -> NDArray[np.int32]:
    """The batch of each cell of a group: by chance alone, whatever the condition."""
    rng = np.random.default_rng(seed_from("synthetic", spec.seed, "batch", *group.axes))
    return rng.integers(spec.n_batches, size=group.n_cells, dtype=np.int32)


def numbered(prefix: str, n: int, *, start: int) -> tuple[str, ...]:
    """Names with numbers of one width, so that sorting by name is sorting by number."""
    width = len(str(n - 1 + start))
    return tuple(f"{prefix}{i + start:0{width}d}" for i in range(n))


def _perturbations(spec: SynthSpec, genes: Sequence[str]) -> dict[str, tuple[int, ...]]:
    rng = np.random.default_rng(seed_from("synthetic", spec.seed, "perturbations"))
    singles = np.sort(rng.choice(spec.n_genes, spec.n_singles, replace=False)).tolist()
    chosen: list[tuple[int, ...]] = [(gene,) for gene in singles]
    for size, wanted in ((2, spec.n_doubles), (3, spec.n_triples)):
        chosen += _combinations(singles, size, wanted, rng)
    return {"+".join(genes[gene] for gene in targets): targets for targets in chosen}


def _combinations(
    singles: list[int], size: int, wanted: int, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    if len(singles) <= 32:
        every = list(combinations(singles, size))
        yield from (every[i] for i in np.sort(rng.choice(len(every), wanted, replace=False)).tolist())
        return
    found: set[tuple[int, ...]] = set()
    while len(found) < wanted:
        found.add(tuple(sorted(rng.choice(singles, size, replace=False).tolist())))
    yield from sorted(found)


def _measured(spec: SynthSpec, n_perts: int) -> NDArray[np.bool_]:
    """Which perturbation was measured in which context. [contexts, perturbations]"""
    rng = np.random.default_rng(seed_from("synthetic", spec.seed, "measured"))
    share = (1 - spec.unmeasured) * (1 - spec.uneven_contexts) ** np.arange(spec.n_contexts)
    measured = np.zeros((spec.n_contexts, n_perts), np.bool_)
    for context in range(spec.n_contexts):
        n = max(1, round(share[context] * n_perts))
        measured[context, rng.choice(n_perts, n, replace=False)] = True
    measured[0, ~measured.any(axis=0)] = True
    return measured


def _condition(
    spec: SynthSpec, context: int, pert: str, targets: tuple[int, ...], dose: float | None
) -> Group:
    rng = np.random.default_rng(seed_from("synthetic", spec.seed, "condition", context, pert, dose))
    n_cells = max(min(MIN_CELLS, spec.cells), round(spec.cells * np.exp(spec.cells_spread * rng.normal())))
    signature = int(rng.integers(1, SIGNATURES + 1)) if spec.planted_leak else 0
    return Group(context, pert, targets, dose, signature, n_cells)


def _labels(codes: list[int], sizes: NDArray[np.int64], levels: Sequence[str]) -> Labels:
    return Labels(np.repeat(np.array(codes, np.int32), sizes), tuple(levels))


def _used(codes: NDArray[np.int32], levels: Sequence[str]) -> Labels:
    used, packed = np.unique(codes, return_inverse=True)
    return Labels(packed.astype(np.int32), tuple(levels[code] for code in used.tolist()))
