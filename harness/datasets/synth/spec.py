"""`SynthSpec`: everything that decides a synthetic screen. The same spec gives the same screen."""

from __future__ import annotations

from math import sqrt
from typing import Annotated

from pydantic import Field, model_validator

from harness.contract.models import Record
from harness.errors import HarnessError

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]

CONTROL = "control"
MIN_CONTROLS = 30
MIN_CELLS = 8
MIN_GENES = 48
MIN_SINGLES = 4


class SynthSpec(Record):
    """A synthetic screen: contexts × perturbations × genes, the strength of what happens in it, and its noise."""

    name: str
    title: str = ""
    seed: int = 0

    n_contexts: Count = 6
    n_genes: Count = 256
    n_singles: Count = 48
    """Perturbations of one gene."""
    n_doubles: Annotated[int, Field(ge=0)] = 12
    """Perturbations of two genes that are also perturbed alone."""
    n_triples: Annotated[int, Field(ge=0)] = 0
    """Perturbations of three genes that are also perturbed alone."""
    unmeasured: Share = 0.1
    """Share of the (context, perturbation) pairs that were never measured; each perturbation is measured somewhere."""
    uneven_contexts: Share = 0.0
    """0: every context is measured alike; towards 1 each next context has that much smaller a share of the perturbations."""
    doses: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Values of an intervention covariate `dose`, each given to every perturbation; empty: no such covariate."""

    cells: Count = 24
    """Median number of cells of a condition."""
    cells_spread: Amount = 0.25
    """Standard deviation of the logarithm of the number of cells of a condition."""
    controls: Count = 150
    """Control cells of a context."""
    n_batches: Count = 2

    depth: Annotated[float, Field(gt=0)] = 400.0
    """Median total count of a cell; also the total that cells are normalised to."""
    depth_spread: Amount = 0.3
    """Standard deviation of the logarithm of a cell's total count."""
    dispersion: Amount = 0.3
    """Negative-binomial dispersion φ: variance μ + φμ²."""
    basal_spread: Amount = 0.9
    """Standard deviation over genes of the logarithm of basal expression."""
    context_spread: Amount = 0.6
    """Standard deviation over contexts of the same."""
    batch_spread: Amount = 0.06
    """Standard deviation over batches of the same."""

    n_modules: Count = 12
    """Modules of the gene graph; four edges of five stay within a module."""
    out_degree: Count = 5
    n_programs: Count = 4
    """Rank of the context-specific operator."""
    strength: Amount = 0.4
    """Size (root mean square over genes, natural-log fold change) of a typical single perturbation's effect."""
    program_share: Share = 0.4
    """Share of an effect's size that goes through the low-rank operator; the rest follows the graph gene by gene."""
    context_gain: Amount = 0.8
    """How much the response depends on the state of the context."""
    knockdown: Amount = 1.5
    """Natural-log fold change of a perturbed gene itself, downwards."""
    interaction: Share = 0.3
    """0: effects of combinations add up; above, they saturate, and genes that both parts reach gain in synergy."""
    shift: Amount = 0.18
    """Size of the systematic shift that every perturbed cell shares, whatever the perturbation."""
    planted_leak: bool = False
    """Plant a leak: the intervention covariate `assay_signature` tells how strongly a condition responds."""
    keep_counts: bool = True
    """Store the counts beside the normalised values."""

    @model_validator(mode="after")
    def _targets_fit(self) -> SynthSpec:
        if self.n_singles > self.n_genes:
            raise ValueError(
                f"{self.n_singles} single perturbations need as many genes, there are {self.n_genes}"
            )
        pairs, triples = _choose(self.n_singles, 2), _choose(self.n_singles, 3)
        if self.n_doubles > pairs or self.n_triples > triples:
            raise ValueError(
                f"{self.n_singles} perturbed genes make {pairs} doubles and {triples} triples at most"
            )
        return self

    def scaled(self, scale: float) -> SynthSpec:
        """A screen with about `scale` times the values: fewer (or more) perturbations, genes and cells, same biology."""
        if scale <= 0:
            raise HarnessError(
                "scale must be above 0", got=scale, mend="1 is the preset as it is, 0.1 a tenth"
            )
        if scale == 1:
            return self
        side = sqrt(scale)

        def shrunk(value: int, least: int) -> int:
            return max(min(value, least), round(value * side))

        singles = shrunk(self.n_singles, MIN_SINGLES)
        return SynthSpec.model_validate(
            self.model_dump()
            | {
                "n_genes": max(shrunk(self.n_genes, MIN_GENES), singles),
                "n_singles": singles,
                "n_doubles": min(shrunk(self.n_doubles, 1), _choose(singles, 2)),
                "n_triples": min(shrunk(self.n_triples, 1), _choose(singles, 3)),
                "n_modules": shrunk(self.n_modules, 4),
                "cells": shrunk(self.cells, MIN_CELLS),
                "controls": shrunk(self.controls, MIN_CONTROLS),
                "depth": self.depth * max(shrunk(self.n_genes, MIN_GENES), singles) / self.n_genes,
            }
        )


def _choose(n: int, k: int) -> int:
    return n * (n - 1) // 2 if k == 2 else n * (n - 1) * (n - 2) // 6
