"""scPerturBench's panel as published: means, correlations and distances over all genes and the strongest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.card import Direction, Undefined, Value, metric
from harness.metrics.gene_sets import TOO_FEW, GeneRanking, GeneSetSize, rank_genes, set_name
from harness.metrics.inputs import Cells, ConditionCells, Controls
from harness.metrics.moments import Moments, moments
from harness.metrics.pairwise import squared_distances, sum_of_distances
from harness.metrics.sampling import published_subsample
from harness.metrics.sinkhorn import Transport, transport

PANEL: Final = "scperturbench"
GENE_SETS: tuple[GeneSetSize, ...] = (20, 100, "all")
REFERENCE = "scPerturBench 2025, as published"
OVER_GENES = {"top20": "Over the 20 strongest genes.", "top100": "Over the 100 strongest genes."}
OVER_ALL = OVER_GENES | {"all": "Over all genes."}
OVER_EVERY_SET = ("mse", "pcc_delta", "energy_distance", "wasserstein", "kl_divergence")
OVER_RANKED_SETS = ("common_degs", "tie_at_cut")
SD_FLOOR = 1e-8
EPSILON_SHARE = 1 / 20
CONSTANT = 1e-12
"""Spread of a delta, relative to the means it is the difference of, below which only rounding is left."""
Profile = NDArray[np.float64]
Wide = NDArray[np.float64]  # [cells, genes]


class Distances:
    """Two groups of cells and the distances between and within them, each computed once."""

    def __init__(self, observed: Wide, predicted: Wide, within_observed: float | None = None) -> None:
        self.cost = squared_distances(observed, predicted)  # [observed, predicted]
        self.between = float(np.sqrt(self.cost).mean())
        self.within_observed = mean_within(observed) if within_observed is None else within_observed
        self.within_predicted = mean_within(predicted)


def mean_within(cells: Wide) -> float:
    """Mean distance over all ordered pairs of cells, the zero diagonal included."""
    return sum_of_distances(cells) / len(cells) ** 2


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference=REFERENCE,
    variants=OVER_ALL,
    pathologies="few genes move and the others add noise: the mean response is hard to beat",
)
def mse(observed: Profile, predicted: Profile) -> float:
    r"""Mean squared error of the mean expression: $\frac{1}{G}\sum_g (m_T - m_P)_g^2$."""
    return float(np.square(observed - predicted).mean())


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(-1.0, 1.0),
    reference=REFERENCE,
    variants=OVER_ALL,
    pathologies="both sides share the controls, whose noise alone correlates them; the mean response scores high",
)
def pcc_delta(observed: Profile, predicted: Profile, control: Profile) -> Value:
    r"""Pearson correlation over genes of $m_T - m_C$ and $m_P - m_C$, with the same controls on both sides."""
    if len(control) < 2:
        return Undefined("there is only one gene")
    scale = CONSTANT * max(float(np.abs(m).max()) for m in (observed, predicted, control))
    centred = []
    for side, mean in (("observed", observed), ("predicted", predicted)):
        delta = mean - control
        if float(np.ptp(delta)) <= scale:
            return Undefined(f"the {side} effect is constant over genes")
        centred.append(delta - delta.mean())
    a, b = (delta / np.sqrt(np.square(delta).sum()) for delta in centred)
    return float(np.clip((a * b).sum(), -1.0, 1.0))


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(-1e-6, np.inf),
    reference=f"Székely & Rizzo 2013; {REFERENCE}",
    needs=("cells",),
    variants=OVER_ALL,
    pathologies="grows as groups shrink: identical populations are (1/n + 1/m) E|X − X'| apart",
)
def energy_distance(distances: Distances) -> float:
    r"""$2E|T-P| - E|T-T'| - E|P-P'|$, Euclidean, averages over all ordered pairs with the zero diagonals kept."""
    return 2 * distances.between - distances.within_observed - distances.within_predicted


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=None,
    range=(0.0, np.inf),
    reference=f"Cuturi 2013; {REFERENCE}",
    needs=("cells",),
    variants=OVER_ALL,
    pathologies="not debiased: identical groups are not 0 apart, and shrunken clouds beat the truth itself",
)
def wasserstein(distances: Distances) -> float:
    r"""Entropic transport of cost $|x-y|^2$: $\langle W,C\rangle + ε\,\mathrm{KL}(W\,\|\,1/nm)$, $ε = \bar C/20$."""
    return published_transport(distances).value


@metric(
    panel=PANEL,
    direction=Direction.LOWER,
    optimum=0.0,
    range=(0.0, np.inf),
    reference=REFERENCE,
    needs=("cells",),
    variants=OVER_ALL,
    pathologies="one gene without spread on either side costs up to 10¹⁴ and decides the mean",
)
def kl_divergence(observed: Moments, predicted: Moments) -> float:
    r"""$\log_2(1 + K)$, K the mean over genes of the symmetric divergence of two Gaussians of sd $s + 10^{-8}$."""
    return float(np.log2(1 + symmetric_kl(observed, predicted)))


@metric(
    panel=PANEL,
    direction=Direction.HIGHER,
    optimum=1.0,
    range=(0.0, 1.0),
    reference=f"{REFERENCE}; inferred, no code was released",
    needs=("cells",),
    variants=OVER_GENES,
    pathologies="ranks by t, so that genes without spread in the predicted cells come first",
)
def common_degs(observed: GeneRanking, predicted: GeneRanking, k: int) -> float:
    r"""Share of the k strongest genes (by |t|) that both sides have in common: $|S_k(T)\cap S_k(P)|/k$."""
    top = observed.top(k)
    return len(np.intersect1d(top, predicted.top(k))) / len(top)


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, 1.0),
    reference="which genes a set holds",
    needs=("cells",),
    variants=OVER_GENES,
)
def tie_at_cut(ranking: GeneRanking, k: int) -> float:
    """Whether the last gene of a set ties with the first outside, so that gene order decided (1), or not (0)."""
    return float(ranking.tie_at_cut(k))


@metric(
    panel=PANEL,
    direction=Direction.NONE,
    optimum=None,
    range=(0.0, np.inf),
    reference="which genes a set holds",
    needs=("cells",),
)
def degenerate_genes(ranking: GeneRanking) -> float:
    """Number of genes that vary neither in the observed cells nor in the controls, but differ: their t is infinite."""
    return float(len(ranking.degenerate))


def symmetric_kl(observed: Moments, predicted: Moments) -> float:
    """Mean over genes of KL(T‖P) + KL(P‖T) of Gaussians with population sd + 1e-8."""
    s2, q2 = (np.square(side.population_sd + SD_FLOOR) for side in (observed, predicted))
    d2 = np.square(observed.mean - predicted.mean)
    return float(((s2 + d2) / (2 * q2) + (q2 + d2) / (2 * s2) - 1).mean())


def published_transport(distances: Distances) -> Transport:
    """The transport problem behind `wasserstein`, with its number of iterations."""
    return transport(distances.cost, float(distances.cost.mean()) * EPSILON_SHARE)


@dataclass(frozen=True)
class ObservedSide:
    """What the panel needs of the observed cells and controls alone: the same for every submission."""

    ranking: GeneRanking | None
    """None where two cells are lacking to rank genes by."""
    within: dict[str, float] = field(default_factory=dict)
    """Mean distance within the observed cells by gene set, on the cells drawn when the predicted ones are taken whole."""

    def genes(self, size: GeneSetSize) -> NDArray[np.int64] | None:
        """Gene positions of a top-k set, strongest first; None for all genes."""
        return None if size == "all" or self.ranking is None else self.ranking.top(size)


def observed_side(
    observed: Cells, controls: Controls, gene_sets: Sequence[GeneSetSize] = GENE_SETS
) -> ObservedSide:
    """Rank the genes and measure the observed cells among themselves."""
    side = ObservedSide(rank_genes(moments(observed), controls.moments))
    _, rows = published_subsample(0, len(observed))
    cells = _wide(observed, rows)
    for size in gene_sets:
        if size == "all" or side.ranking is not None:
            side.within[set_name(size)] = mean_within(_of_genes(cells, side.genes(size)))
    return side


def names(gene_sets: Sequence[GeneSetSize] = GENE_SETS) -> tuple[str, ...]:
    """The names of the values for these gene sets."""
    found: list[str] = []
    for size in gene_sets:
        ranked = () if size == "all" else OVER_RANKED_SETS
        found += [f"{name}_{set_name(size)}" for name in (*OVER_EVERY_SET, *ranked)]
    return (*found, "degenerate_genes")


NAMES = names()


def condition_values(
    cells: ConditionCells,
    gene_sets: Sequence[GeneSetSize] = GENE_SETS,
    observed: ObservedSide | None = None,
) -> dict[str, Value]:
    """Every value of one condition. `observed` spares what was computed for another submission on the same cells."""
    ranking = (
        rank_genes(cells.observed_moments, cells.controls.moments) if observed is None else observed.ranking
    )
    side = ObservedSide(ranking) if observed is None else observed
    predicted_ranking = rank_genes(cells.predicted_moments, cells.controls.moments)
    drawn = Drawn.of(cells)
    values: dict[str, Value] = {}
    for size in gene_sets:
        name = set_name(size)
        if size == "all":
            found = over_genes(cells, drawn, None, side.within.get(name))
        elif side.ranking is None:
            found = dict.fromkeys((*OVER_EVERY_SET, *OVER_RANKED_SETS), Undefined(TOO_FEW))
        else:
            found = over_genes(cells, drawn, side.ranking.top(size), side.within.get(name))
            found |= _over_ranking(side.ranking, predicted_ranking, size)
        values |= {f"{title}_{name}": value for title, value in found.items()}
    values["degenerate_genes"] = (
        Undefined(TOO_FEW) if side.ranking is None else degenerate_genes(side.ranking)
    )
    return values


def _over_ranking(observed: GeneRanking, predicted: GeneRanking | None, k: int) -> dict[str, Value]:
    common: Value = Undefined(TOO_FEW) if predicted is None else common_degs(observed, predicted, k)
    return {"common_degs": common, "tie_at_cut": tie_at_cut(observed, k)}


@dataclass(frozen=True)
class Drawn:
    """The cells that distances and divergences are computed on."""

    observed: Wide
    predicted: Wide
    observed_moments: Moments
    predicted_moments: Moments
    shared: bool
    """Whether the observed cells are those that any submission with few predicted cells is compared with."""

    @classmethod
    def of(cls, cells: ConditionCells) -> Drawn:
        predicted, observed = published_subsample(len(cells.predicted), len(cells.observed))
        return cls(
            _wide(cells.observed, observed),
            _wide(cells.predicted, predicted),
            cells.observed_moments if observed is None else moments(cells.observed[observed]),
            cells.predicted_moments if predicted is None else moments(cells.predicted[predicted]),
            observed is None or predicted is None,
        )

    def distances(self, genes: NDArray[np.int64] | None, within_observed: float | None = None) -> Distances:
        """Distances over some genes; `within_observed` where it is known already."""
        known = within_observed if self.shared else None
        return Distances(_of_genes(self.observed, genes), _of_genes(self.predicted, genes), known)


def over_genes(
    cells: ConditionCells, drawn: Drawn, genes: NDArray[np.int64] | None, within_observed: float | None = None
) -> dict[str, Value]:
    """The values over some genes, over all of them where none are given."""
    means = (cells.observed_moments.mean, cells.predicted_moments.mean, cells.controls.moments.mean)
    observed, predicted, control = means if genes is None else (mean[genes] for mean in means)
    distances = drawn.distances(genes, within_observed)
    spread = (drawn.observed_moments, drawn.predicted_moments)
    return {
        "mse": mse(observed, predicted),
        "pcc_delta": pcc_delta(observed, predicted, control),
        "energy_distance": energy_distance(distances),
        "wasserstein": wasserstein(distances),
        "kl_divergence": kl_divergence(*(_moments_of_genes(each, genes) for each in spread)),
    }


def _wide(cells: Cells, rows: NDArray[np.int64] | None) -> Wide:
    return np.ascontiguousarray(cells if rows is None else cells[rows], np.float64)


def _of_genes(cells: Wide, genes: NDArray[np.int64] | None) -> Wide:
    return cells if genes is None else np.ascontiguousarray(cells[:, genes])


def _moments_of_genes(group: Moments, genes: NDArray[np.int64] | None) -> Moments:
    return group if genes is None else Moments(group.n, group.mean[genes], group.squares[genes])
